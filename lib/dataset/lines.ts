/** A byte stream cut into lines, blank ones left out; a line is bounded, so that a file without line ends costs nothing. */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { type ByteStream, joined } from "./byte-stream.ts";

export interface NumberedLine {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** From 1, blank lines counted. */
  readonly number: number;
}

const LF = 10;

export async function* lines(stream: ByteStream): AsyncGenerator<NumberedLine> {
  let parts: Uint8Array<ArrayBuffer>[] = [];
  let held = 0;
  let number = 0;

  function* take(piece: Uint8Array<ArrayBuffer>): Generator<NumberedLine> {
    number++;
    const bytes = parts.length === 0 ? piece : joined([...parts, piece]);
    parts = [];
    held = 0;
    if (bytes.some((byte) => byte > 32)) yield { bytes, number };
  }

  for await (const chunk of stream) {
    let at = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, at)) {
      yield* take(chunk.subarray(at, end));
      at = end + 1;
    }
    if (at < chunk.length) {
      parts.push(chunk.subarray(at));
      held += chunk.length - at;
      if (held > DATASET_LIMITS.lineBytes) {
        throw new FluxError(
          "dataset_too_large",
          `Line ${number + 1} is longer than ${DATASET_LIMITS.lineBytes} bytes: put one record on each line, or use NPY for large records.`,
        );
      }
    }
  }
  if (parts.length > 0) yield* take(new Uint8Array(0));
}
