/**
 * TensorFlow checkpoints (tensor bundles): `variables.index` is a table of sorted keys in LevelDB's format (SSTable),
 * `variables.data-00000-of-0000n` hold the bytes. Formats: LevelDB doc/table_format.md; tensorflow/core/util/tensor_bundle.
 *
 * Table: data blocks, then an index block whose entries are (last key, handle of a data block), then a footer of 48 bytes
 * that holds the index block's handle and a magic number. A block's entries share prefixes with the key before.
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { elementCount, type Tensor } from "../graph.ts";
import { DTYPE_BYTES } from "../onnx/dtypes.ts";
import { decodeRaw } from "../onnx/tensors.ts";
import { decodeProtobuf } from "../protobuf.ts";
import {
  type BundleEntryProto,
  BundleEntryProtoSchema,
  BundleHeaderProtoSchema,
  TrackableObjectGraphSchema,
} from "./generated/tensorflow_pb.ts";
import { TF_DTYPES } from "./graph/nodes.ts";
import { readShape } from "./graph-def.ts";

/** Finds a variable by its key, or by the name that the object graph gives it. */
export type Checkpoint = (name: string) => Tensor | undefined;

const OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH";
const FOOTER_BYTES = 48;
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** Compression byte and checksum behind every block. */
const BLOCK_TRAILER_BYTES = 5;
const DT_STRING = 7;

/** `shard(i, n)` gives the bytes of shard i of n. Throws FluxError `model_unreadable` or `model_unsupported`. */
export function openCheckpoint(index: Uint8Array, shard: FindShard): Checkpoint {
  try {
    return readCheckpoint(index, shard);
  } catch (error) {
    if (error instanceof FluxError) throw error;
    throw damaged(error instanceof Error ? error.message : "it is unreadable");
  }
}

type FindShard = (index: number, count: number) => Uint8Array | undefined;

function readCheckpoint(index: Uint8Array, shard: FindShard): Checkpoint {
  const table = readTable(index);
  const header = decodeProtobuf(
    BundleHeaderProtoSchema,
    table.get("") ?? damagedEntry("its header is missing"),
    "a checkpoint",
  );
  if (header.endianness !== 0) throw damaged("it is big-endian");
  const entries = new Map<string, BundleEntryProto>();
  for (const [key, value] of table) {
    if (key !== "") entries.set(key, decodeProtobuf(BundleEntryProtoSchema, value, "a checkpoint"));
  }
  const bytesOf = (key: string, entry: BundleEntryProto): Uint8Array => {
    const data = shard(entry.shardId, header.numShards);
    if (!data) {
      throw damaged(`shard ${entry.shardId} of ${header.numShards} is missing: upload every variables.data file`);
    }
    const [from, to] = [Number(entry.offset), Number(entry.offset + entry.size)];
    if (from < 0 || to < from || to > data.length) throw damaged(`"${key}" lies outside its shard`);
    return data.subarray(from, to);
  };
  const keys = readObjectGraph(entries.get(OBJECT_GRAPH), (entry) => bytesOf(OBJECT_GRAPH, entry));
  return (name) => {
    const key = entries.has(name) ? name : keys.get(name);
    const entry = key === undefined ? undefined : entries.get(key);
    return entry && readVariable(name, entry, bytesOf(name, entry));
  };
}

function readVariable(name: string, entry: BundleEntryProto, bytes: Uint8Array): Tensor {
  const dtype = TF_DTYPES.get(entry.dtype);
  const shape = readShape(entry.shape) ?? [];
  if (!dtype || shape.some((dim) => dim < 0) || shape.length > MODEL_LIMITS.tensorRank) {
    throw new FluxError(
      "model_unsupported",
      `The variable "${name}" is not an array of numbers. Save the model for inference only.`,
      {
        param: name,
      },
    );
  }
  if (elementCount(shape) * DTYPE_BYTES[dtype] !== bytes.length) {
    throw damaged(`"${name}" declares [${shape.join(", ")}] ${dtype} but holds ${bytes.length} bytes`);
  }
  return { shape, data: decodeRaw(bytes, dtype) };
}

/** Names of variables → keys, from the object graph that TensorFlow 2 stores as text: its length, a checksum, its bytes. */
function readObjectGraph(
  entry: BundleEntryProto | undefined,
  read: (entry: BundleEntryProto) => Uint8Array,
): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  if (entry?.dtype !== DT_STRING) return keys;
  const bytes = read(entry);
  const reader = new BinaryReader(bytes);
  const length = reader.uint32();
  const content = bytes.subarray(reader.pos + 4, reader.pos + 4 + length);
  if (content.length !== length) throw damaged("its object graph is cut short");
  const graph = decodeProtobuf(TrackableObjectGraphSchema, content, "a checkpoint's object graph");
  for (const { fullName, checkpointKey } of graph.nodes.flatMap((node) => node.attributes)) {
    if (fullName === "") continue;
    const known = keys.get(fullName);
    if (known !== undefined && known !== checkpointKey) {
      throw new FluxError(
        "model_unsupported",
        `Two variables of the checkpoint are named "${fullName}". Give every layer its own name and save the model again.`,
        { param: fullName },
      );
    }
    keys.set(fullName, checkpointKey);
  }
  return keys;
}

// ---------------------------------------------------------------- the table

function readTable(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const footer = bytes.subarray(-FOOTER_BYTES);
  if (footer.length < FOOTER_BYTES || MAGIC.some((byte, i) => footer[FOOTER_BYTES - 8 + i] !== byte)) {
    throw damaged("variables.index does not end like one");
  }
  const reader = new BinaryReader(footer);
  readHandle(reader);
  const table = new Map<string, Uint8Array>();
  for (const [, handle] of readBlock(bytes, readHandle(reader))) {
    for (const [key, value] of readBlock(bytes, readHandle(new BinaryReader(handle)))) {
      if (table.size >= MODEL_LIMITS.graphNodes) throw damaged(`it has more than ${MODEL_LIMITS.graphNodes} keys`);
      table.set(key, value);
    }
  }
  return table;
}

interface Handle {
  readonly offset: number;
  readonly size: number;
}

function readHandle(reader: BinaryReader): Handle {
  return { offset: Number(reader.uint64()), size: Number(reader.uint64()) };
}

/** Entries: shared key bytes, own key bytes, value bytes (varints), own key, value; at the end the restart offsets. */
function* readBlock(bytes: Uint8Array, { offset, size }: Handle): Generator<readonly [string, Uint8Array]> {
  const end = offset + size;
  if (!Number.isSafeInteger(end) || end + BLOCK_TRAILER_BYTES > bytes.length || size < 4)
    throw damaged("a block lies outside");
  if (bytes[end] !== 0) throw damaged("its index is compressed");
  const block = bytes.subarray(offset, end);
  const restarts = new DataView(block.buffer, block.byteOffset + size - 4, 4).getUint32(0, true);
  const entriesEnd = size - 4 - 4 * restarts;
  if (entriesEnd < 0) throw damaged("a block is cut short");
  const reader = new BinaryReader(block);
  let key = new Uint8Array(0);
  while (reader.pos < entriesEnd) {
    const [shared, own, valueBytes] = [reader.uint32(), reader.uint32(), reader.uint32()];
    const valueStart = reader.pos + own;
    if (shared > key.length || own > MODEL_LIMITS.nameChars || valueStart + valueBytes > entriesEnd) {
      throw damaged("an entry lies outside its block");
    }
    const next = new Uint8Array(shared + own);
    next.set(key.subarray(0, shared));
    next.set(block.subarray(reader.pos, valueStart), shared);
    key = next;
    yield [decoder.decode(key), block.subarray(valueStart, valueStart + valueBytes)];
    reader.pos = valueStart + valueBytes;
  }
}

const decoder = new TextDecoder();

function damaged(why: string): FluxError {
  return new FluxError(
    "model_unreadable",
    `The checkpoint cannot be read: ${why}. Save the model again and upload all its files.`,
  );
}

function damagedEntry(why: string): never {
  throw damaged(why);
}
