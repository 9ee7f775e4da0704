/** Writes SavedModels and checkpoints to TensorFlow's format, byte by byte. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Tensor } from "#lib/model/graph.ts";
import {
  AttrValueSchema,
  BundleEntryProtoSchema,
  BundleHeaderProtoSchema,
  type NodeDefSchema,
  TensorShapeProtoSchema,
  TrackableObjectGraphSchema,
} from "#lib/model/tensorflow/generated/tensorflow_pb.ts";

export type NodeInit = MessageInitShape<typeof NodeDefSchema>;

const DT_FLOAT = 1;
export const FLOAT_TYPE = create(AttrValueSchema, { value: { case: "type", value: DT_FLOAT } });

export function shapeProto(shape: readonly number[]) {
  return create(TensorShapeProtoSchema, { dim: shape.map((size) => ({ size: BigInt(size) })) });
}

export function textAttr(text: string) {
  return create(AttrValueSchema, { value: { case: "s", value: new TextEncoder().encode(text) } });
}

/** variables.index and variables.data of one shard; keys as Keras writes them, names in the object graph. */
export function checkpointFiles(variables: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Uint8Array> {
  const chunks: Uint8Array[] = [];
  let offset = 0;
  const append = (bytes: Uint8Array): { offset: bigint; size: bigint } => {
    const place = { offset: BigInt(offset), size: BigInt(bytes.length) };
    chunks.push(bytes);
    offset += bytes.length;
    return place;
  };
  const entries = new Map<string, Uint8Array>();
  const header = create(BundleHeaderProtoSchema, { numShards: 1 });
  entries.set("", toBinary(BundleHeaderProtoSchema, header));
  const nodes: { attributes: { name: string; fullName: string; checkpointKey: string }[] }[] = [];
  for (const [name, tensor] of variables) {
    const key = `layer_with_weights-${nodes.length}/${name.split("/").at(-1)}/.ATTRIBUTES/VARIABLE_VALUE`;
    nodes.push({ attributes: [{ name: "VARIABLE_VALUE", fullName: name, checkpointKey: key }] });
    const bytes = new Uint8Array(Float32Array.from(tensor.data).buffer);
    const entry = { dtype: DT_FLOAT, shape: shapeProto(tensor.shape), shardId: 0, ...append(bytes) };
    entries.set(key, toBinary(BundleEntryProtoSchema, create(BundleEntryProtoSchema, entry)));
  }
  const graph = toBinary(TrackableObjectGraphSchema, create(TrackableObjectGraphSchema, { nodes }));
  // A string tensor: the length of each string, a checksum, the strings.
  const length = new BinaryWriter().uint32(graph.length).finish();
  const text = Uint8Array.from([...length, 0, 0, 0, 0, ...graph]);
  const entry = { dtype: 7, shape: shapeProto([]), shardId: 0, ...append(text) };
  entries.set("_CHECKPOINTABLE_OBJECT_GRAPH", toBinary(BundleEntryProtoSchema, create(BundleEntryProtoSchema, entry)));
  return new Map([
    ["variables/variables.index", table(entries)],
    ["variables/variables.data-00000-of-00001", Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))],
  ]);
}

/** An SSTable of two data blocks, with shared prefixes and a restart every three entries. */
function table(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const middle = Math.ceil(sorted.length / 2);
  const bytes: number[] = [];
  const writeBlock = (list: readonly (readonly [string, Uint8Array])[]): Uint8Array => {
    const block = blockBytes(list);
    const handle = new BinaryWriter().uint64(bytes.length).uint64(block.length).finish();
    bytes.push(...block, 0, 0, 0, 0, 0);
    return handle;
  };
  const parts = [sorted.slice(0, middle), sorted.slice(middle)].filter((part) => part.length > 0);
  const index = parts.map((part) => [part.at(-1)![0], writeBlock(part)] as const);
  const metaHandle = writeBlock([]);
  const indexHandle = writeBlock(index);
  const footer = new Uint8Array(48);
  footer.set([...metaHandle, ...indexHandle]);
  footer.set([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb], 40);
  return Uint8Array.from([...bytes, ...footer]);
}

function blockBytes(list: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const bytes: number[] = [];
  const restarts: number[] = [];
  let before = "";
  for (const [index, [key, value]] of list.entries()) {
    if (index % 3 === 0) {
      restarts.push(bytes.length);
      before = "";
    }
    let shared = 0;
    while (shared < Math.min(before.length, key.length) && before[shared] === key[shared]) shared++;
    const own = new TextEncoder().encode(key.slice(shared));
    bytes.push(...new BinaryWriter().uint32(shared).uint32(own.length).uint32(value.length).finish(), ...own, ...value);
    before = key;
  }
  if (restarts.length === 0) restarts.push(0);
  const tail = new Uint32Array([...restarts, restarts.length]);
  return Uint8Array.from([...bytes, ...new Uint8Array(tail.buffer)]);
}
