/** Results as JSON, JSON Lines and CSV. Numbers are the shortest decimals that are read back as the same float32. */
import { type Dtype, elementsPerRecord, type RecordTensor } from "../../protocol/tensors.ts";
import { chunkRecords, type ResultChunk, type ResultSource } from "./source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** `{"recipe"?, "outputs": […], "records": [{"record", "id"?, "outputs": {name: nested values}}]}`. */
export async function* jsonResults(source: ResultSource): AsyncGenerator<Bytes> {
  const encoder = new TextEncoder();
  const outputs = source.outputs.map(({ name, dtype, shape }) => ({ name, datatype: dtype, shape }));
  const recipe = source.recipe ? `"recipe":${JSON.stringify(source.recipe)},` : "";
  yield encoder.encode(`{"object":"results",${recipe}"outputs":${JSON.stringify(outputs)},"records":[`);
  let separator = "\n";
  for await (const chunk of source.chunks()) {
    const rows = objects(source, chunk);
    if (rows.length === 0) continue;
    yield encoder.encode(separator + rows.join(",\n"));
    separator = ",\n";
  }
  yield encoder.encode("\n]}\n");
}

export async function* jsonlResults(source: ResultSource): AsyncGenerator<Bytes> {
  const encoder = new TextEncoder();
  for await (const chunk of source.chunks()) {
    const rows = objects(source, chunk);
    if (rows.length > 0) yield encoder.encode(`${rows.join("\n")}\n`);
  }
}

/** Columns: the id (or "record"), then each output; an output of several values has one column per value, name_0, name_1, … */
export async function* csvResults(source: ResultSource): AsyncGenerator<Bytes> {
  const encoder = new TextEncoder();
  const names = source.outputs.flatMap(columnNames);
  yield encoder.encode(`${[source.idName ?? "record", ...names].map(csvCell).join(",")}\r\n`);
  for await (const chunk of source.chunks()) {
    const count = chunkRecords(source, chunk);
    let text = "";
    for (let row = 0; row < count; row++) {
      text += chunk.ids ? csvCell(chunk.ids[row]!) : chunk.start + row;
      source.outputs.forEach((output, index) => {
        const width = elementsPerRecord(output);
        for (let i = 0; i < width; i++) {
          const value = chunk.outputs[index]![row * width + i]!;
          text += Number.isFinite(value) ? `,${numberText(value, output.dtype)}` : `,${value}`;
        }
      });
      text += "\r\n";
    }
    if (count > 0) yield encoder.encode(text);
  }
}

export function columnNames(output: RecordTensor): string[] {
  const width = elementsPerRecord(output);
  return width === 1 ? [output.name] : Array.from({ length: width }, (_, i) => `${output.name}_${i}`);
}

function objects(source: ResultSource, chunk: ResultChunk): string[] {
  const names = source.outputs.map(({ name }) => JSON.stringify(name));
  return Array.from({ length: chunkRecords(source, chunk) }, (_, row) => {
    const id = chunk.ids ? `,"id":${JSON.stringify(chunk.ids[row])}` : "";
    const outputs = source.outputs.map((output, index) => {
      const width = elementsPerRecord(output);
      return `${names[index]}:${nested(chunk.outputs[index]!, output, 0, row * width, width)}`;
    });
    return `{"record":${chunk.start + row}${id},"outputs":{${outputs.join(",")}}}`;
  });
}

/** JSON of the values `[at, at + length)` in the form of `shape` from `axis` on. */
function nested(values: Float32Array, output: RecordTensor, axis: number, at: number, length: number): string {
  const count = output.shape[axis];
  if (count === undefined) return jsonNumber(values[at]!, output.dtype);
  const inner = length / count;
  const parts = new Array<string>(count);
  for (let i = 0; i < count; i++) parts[i] = nested(values, output, axis + 1, at + i * inner, inner);
  return `[${parts.join(",")}]`;
}

/** JSON has no NaN and no infinities: null. */
function jsonNumber(value: number, dtype: Dtype): string {
  return Number.isFinite(value) ? numberText(value, dtype) : "null";
}

function numberText(value: number, dtype: Dtype): string {
  return dtype === "FP32" ? float32Text(value) : String(value);
}

/**
 * The shortest decimal that rounds to the same float32: 0.1, not 0.10000000149011612. Six to nine digits always suffice
 * (IEEE 754-2019, 5.12.2). About 0.5 µs a value; results are half as long as with doubles' digits.
 */
export function float32Text(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
