/**
 * Protobuf from strangers: the wire is walked once before it is decoded, so that neither nesting nor two-byte messages
 * repeated a hundred million times can exhaust stack or memory.
 */
import { type DescField, type DescMessage, fromBinary, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";

/** Message levels between the file and a tensor inside it: graph, node, attribute, tensor; each subgraph adds three. */
const MESSAGE_DEPTH = 4 + 3 * MODEL_LIMITS.nesting;

/**
 * Decodes a file as `schema`. `kind` names it in errors ("an ONNX model"). Throws `model_unreadable` for bytes that are
 * not such a file (or end early), `model_too_large` for one that decodes to more than MODEL_LIMITS allows.
 */
export function decodeProtobuf<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  kind: string,
): MessageShape<Desc> {
  if (bytes.length > MODEL_LIMITS.modelBytes) {
    throw tooLarge(`the file has ${bytes.length} bytes, the limit is ${MODEL_LIMITS.modelBytes}`);
  }
  try {
    measure(schema, bytes);
    return fromBinary(schema, bytes, { readUnknownFields: false, recursionLimit: MESSAGE_DEPTH + 1 });
  } catch (error) {
    if (error instanceof FluxError) throw error;
    throw new FluxError(
      "model_unreadable",
      `This is not ${kind}, or the file is cut short (${error instanceof Error ? error.message : "unreadable"}). Export it again and upload the whole file.`,
      { cause: error },
    );
  }
}

function tooLarge(what: string): FluxError {
  return new FluxError("model_too_large", `Too large to read: ${what}. Export a smaller model, or split it.`);
}

/** What a length-delimited field holds. */
type Content = FieldTable | "packed" | "bytes";
interface FieldTable {
  /** Built on first use: message types refer to each other in circles. */
  readonly fields: () => ReadonlyMap<number, Content>;
}

/** Walks every known submessage and counts what decoding would allocate. */
function measure(schema: DescMessage, bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  let fields = 0;
  let packedBytes = 0;

  const walkMessage = (table: FieldTable, end: number, depth: number): void => {
    if (depth > MESSAGE_DEPTH) throw tooLarge(`messages nest deeper than ${MESSAGE_DEPTH} levels`);
    const known = table.fields();
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      if (++fields > MODEL_LIMITS.protobufFields) throw tooLarge(`more than ${MODEL_LIMITS.protobufFields} fields`);
      if (wireType !== WireType.LengthDelimited) {
        reader.skip(wireType, number, MESSAGE_DEPTH);
        if (reader.pos > end) throw new Error("a field runs over the end of its message");
        continue;
      }
      const length = reader.uint32();
      const fieldEnd = reader.pos + length;
      if (fieldEnd > end) throw new Error("a field runs over the end of its message");
      const content = known.get(number) ?? "bytes";
      if (content === "packed") packedBytes += length;
      if (packedBytes > MODEL_LIMITS.protobufPackedBytes) {
        throw tooLarge(
          `more than ${MODEL_LIMITS.protobufPackedBytes} bytes of packed lists (write weights as raw bytes)`,
        );
      }
      if (typeof content === "string") reader.pos = fieldEnd;
      else walkMessage(content, fieldEnd, depth + 1);
    }
  };
  walkMessage(tableMaker()(schema), bytes.length, 0);
}

function tableMaker(): (message: DescMessage) => FieldTable {
  const tables = new Map<DescMessage, FieldTable>();
  const tableOf = (message: DescMessage): FieldTable => {
    let table = tables.get(message);
    if (!table) {
      let fields: ReadonlyMap<number, Content> | undefined;
      table = {
        fields: () => {
          fields ??= new Map(message.fields.map((field) => [field.number, contentOf(field, tableOf)]));
          return fields;
        },
      };
      tables.set(message, table);
    }
    return table;
  };
  return tableOf;
}

function contentOf(field: DescField, tableOf: (message: DescMessage) => FieldTable): Content {
  switch (field.fieldKind) {
    case "message":
      return tableOf(field.message);
    case "map": {
      if (field.mapKind !== "message") return "bytes";
      // On the wire a map is a list of entries: key 1, value 2.
      const entry = new Map<number, Content>([[2, tableOf(field.message)]]);
      return { fields: () => entry };
    }
    case "list":
      if (field.listKind === "message") return tableOf(field.message);
      if (field.listKind === "enum") return "packed";
      return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES ? "bytes" : "packed";
    default:
      return "bytes";
  }
}
