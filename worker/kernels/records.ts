/**
 * What the onnx and tfjs kernels share: a payload of stored records is cut into chunks of the stage's batch size, each
 * chunk's inputs are decoded, a model runs on them, and its outputs land in one FP32 result (layout: stage.ts).
 */
import { decodeInput, type TensorData } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { OnnxStageSpec, TfjsStageSpec } from "#lib/protocol/stage.ts";
import { bytesPerRecord, elementsPerRecord } from "#lib/protocol/tensors.ts";
import type { ComputeTask } from "../messages.ts";
import type { Breathe } from "./kernel.ts";

export type RecordsSpec = OnnxStageSpec | TfjsStageSpec;

/**
 * Runs a model on `records` records: one decoded array per input of the spec, one FP32 array per output, in their order. The
 * inputs are written anew for the next batch: outputs that alias them must be read before.
 */
export type RunBatch = (inputs: readonly TensorData[], records: number) => Promise<readonly ArrayLike<number>[]>;

export async function runRecords(
  spec: RecordsSpec,
  task: Pick<ComputeTask, "payload" | "unitCount">,
  runBatch: RunBatch,
  breathe: Breathe,
): Promise<Uint8Array<ArrayBuffer>> {
  const { payload, unitCount } = task;
  const inputs = inputSections(spec, unitCount);
  const scratch: TensorData[] = [];
  const outputs = spec.outputs.map((output) => ({ name: output.name, width: elementsPerRecord(output) }));
  const result = new Float32Array(unitCount * outputs.reduce((sum, { width }) => sum + width, 0));

  for (let first = 0; first < unitCount; first += spec.batchRecords) {
    const records = Math.min(spec.batchRecords, unitCount - first);
    const decoded = inputs.map(({ input, offsetBytes, recordBytes }, index) => {
      const start = offsetBytes + first * recordBytes;
      const stored = payload.subarray(start, start + records * recordBytes);
      const values = decodeInput(input, stored, records, scratch[index]);
      // A view on the payload is no memory to write into.
      if (values.buffer !== payload.buffer) scratch[index] ??= values;
      return values;
    });
    const values = await runBatch(decoded, records);
    let section = 0;
    for (const [index, { name, width }] of outputs.entries()) {
      const output = values[index];
      if (output?.length !== records * width) {
        const got = output?.length ?? "no";
        throw new FluxError("model_invalid", `Output ${name} has ${got} values where ${records}×${width} are declared`);
      }
      result.set(output, section + first * width);
      section += unitCount * width;
    }
    await breathe(first + records);
  }
  return new Uint8Array(result.buffer);
}

/** Made-up records that are decoded like real ones: enough to compare two runtimes on the stage's own model. */
export function sampleInputs(spec: RecordsSpec, records: number): TensorData[] {
  // A fixed linear congruential sequence (Numerical Recipes): the same sample on every device.
  let seed = 12345;
  const next = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  return spec.inputs.map((input) => {
    const elements = records * elementsPerRecord(input.stored);
    const bytes = new Uint8Array(records * bytesPerRecord(input.stored));
    switch (input.stored.dtype) {
      case "FP32":
        for (let i = 0, view = new Float32Array(bytes.buffer); i < elements; i++) view[i] = next();
        break;
      case "FP64":
        for (let i = 0, view = new Float64Array(bytes.buffer); i < elements; i++) view[i] = next();
        break;
      default:
        // Small non-negative integers fit every integer type, and embeddings of any size have a row 0 or 1.
        for (let i = 0, stride = bytes.length / elements; i < elements; i++) bytes[i * stride] = next() < 0.5 ? 0 : 1;
    }
    return decodeInput(input, bytes, records);
  });
}

function inputSections(spec: RecordsSpec, unitCount: number) {
  let offsetBytes = 0;
  return spec.inputs.map((input) => {
    const recordBytes = bytesPerRecord(input.stored);
    const section = { input, offsetBytes, recordBytes };
    offsetBytes += unitCount * recordBytes;
    return section;
  });
}

/** Largest difference of two runs relative to the largest value of the first. */
export function largestDifference(expected: readonly ArrayLike<number>[], got: readonly ArrayLike<number>[]): number {
  let difference = 0;
  let largest = 0;
  for (const [index, values] of expected.entries()) {
    for (let i = 0; i < values.length; i++) {
      const other = got[index]?.[i] ?? Number.NaN;
      largest = Math.max(largest, Math.abs(values[i]!));
      const apart = Math.abs(values[i]! - other);
      difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
    }
  }
  return difference / Math.max(largest, 1e-30);
}
