/**
 * Results as Parquet: the id (or record number), and one column per output: a number, or a list of numbers where a record
 * has several (row-major; the shape is in the file's metadata under "flux.outputs").
 */
import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { type Dtype, elementsPerRecord, type RecordTensor } from "../../protocol/tensors.ts";
import { chunkRecords, type ResultSource } from "./source.ts";

type Physical = "FLOAT" | "DOUBLE" | "INT32" | "INT64" | "BOOLEAN";

const PHYSICAL: Readonly<Record<Dtype, Physical>> = {
  FP32: "FLOAT",
  FP64: "DOUBLE",
  INT8: "INT32",
  UINT8: "INT32",
  INT16: "INT32",
  UINT16: "INT32",
  INT32: "INT32",
  UINT32: "INT64",
  INT64: "INT64",
  BOOL: "BOOLEAN",
};

/** A row group per chunk of the source; what is finished is yielded and forgotten. */
export async function* parquetResults(source: ResultSource): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    writer,
    schema: schemaOf(source),
    codec: "UNCOMPRESSED",
    kvMetadata: [
      { key: "flux.outputs", value: JSON.stringify(source.outputs) },
      ...(source.recipe ? [{ key: "flux.recipe", value: JSON.stringify(source.recipe) }] : []),
    ],
    createdBy: "flux",
  });
  for await (const chunk of source.chunks()) {
    const count = chunkRecords(source, chunk);
    if (count === 0) continue;
    const ids = chunk.ids
      ? { name: source.idName ?? "record", data: [...chunk.ids] }
      : { name: "record", data: BigInt64Array.from({ length: count }, (_, row) => BigInt(chunk.start + row)) };
    const outputs = source.outputs.map((output, index) => ({
      name: output.name,
      data: column(chunk.outputs[index]!, output, count),
    }));
    await parquet.write({ columnData: [ids, ...outputs], rowGroupSize: count });
    yield drain(writer);
  }
  await parquet.finish();
  yield drain(writer);
}

function schemaOf(source: ResultSource): SchemaElement[] {
  const id: SchemaElement = source.idName
    ? { name: source.idName, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" }
    : { name: "record", type: "INT64", repetition_type: "REQUIRED" };
  return [{ name: "root", num_children: 1 + source.outputs.length }, id, ...source.outputs.flatMap(outputSchema)];
}

/** Integers and bools have no NaN: a record without a result is null there. */
function outputSchema(output: RecordTensor): SchemaElement[] {
  const type = PHYSICAL[output.dtype];
  const repetition = isFloat(type) ? ("REQUIRED" as const) : ("OPTIONAL" as const);
  if (elementsPerRecord(output) === 1) return [{ name: output.name, type, repetition_type: repetition }];
  return [
    { name: output.name, repetition_type: "REQUIRED", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", type, repetition_type: repetition },
  ];
}

function isFloat(type: Physical): boolean {
  return type === "FLOAT" || type === "DOUBLE";
}

function column(values: Float32Array, output: RecordTensor, count: number): Cell[] | Cell[][] {
  const width = elementsPerRecord(output);
  const toCell = cellOf(PHYSICAL[output.dtype]);
  if (width === 1) return Array.from(values, toCell);
  return Array.from({ length: count }, (_, row) => Array.from(values.subarray(row * width, (row + 1) * width), toCell));
}

type Cell = number | bigint | boolean | null;

function cellOf(type: Physical): (value: number) => Cell {
  switch (type) {
    case "FLOAT":
    case "DOUBLE":
      return (value) => value;
    case "BOOLEAN":
      return (value) => (Number.isNaN(value) ? null : value !== 0);
    case "INT32":
      return (value) => (Number.isFinite(value) ? Math.trunc(value) : null);
    case "INT64":
      return (value) => (Number.isFinite(value) ? BigInt(Math.trunc(value)) : null);
  }
}

/** Takes what has been written and lets the writer reuse its buffer; its `offset` keeps counting. */
function drain(writer: ByteWriter): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(writer.getBuffer());
  writer.index = 0;
  return bytes;
}
