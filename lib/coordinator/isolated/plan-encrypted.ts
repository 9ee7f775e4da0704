/**
 * Task: compiles models to an encrypted plan and rehearses it on calibration records: what a job costs and how faithful it
 * is, before anybody is asked to compute it.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { type EncryptedPlan, planEncrypted, requireFidelity } from "#lib/keyholder/rehearse.ts";
import type { CalibrationRecords } from "#lib/lanes/compile/compile.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { prepareOnThisThread } from "../encrypted/lane-runner.ts";
import { openRecords, type Records, RecordsInput } from "../encrypted/records.ts";
import { serveTask } from "./task.ts";

const Input = z.object({
  modelPaths: z.array(z.string()).min(1),
  records: RecordsInput,
  minFidelity: z.number(),
});
export type PlanEncryptedInput = z.input<typeof Input>;

/** Records that the compiler looks at; more would not change its choices. */
const CALIBRATION_RECORDS = 4096;
/** Values looked at for their range: beyond it, calibration records alone tell the range. */
const RANGE_VALUES = 2 ** 28;
const CHUNK_RECORDS = 1024;

await serveTask(async (raw) => {
  const input = Input.parse(raw);
  const graphs = await Promise.all(input.modelPaths.map(async (path) => importOnnx(await readFile(path))));
  const records = openRecords(input.records);
  const calibration = await calibrationRecords(records);
  const ranges = await rangesOf(records);
  const planned = await planEncrypted(graphs, calibration, {
    prepare: prepareOnThisThread,
    records: records.count,
    minFidelity: input.minFidelity,
    ...(ranges ? { ranges } : {}),
  });
  return {
    plan: planned.plan,
    cost: planned.cost,
    refusal: refusalOf(planned, input.minFidelity),
    sameAnswers: planned.sameAnswers,
    rehearsals: planned.rehearsals,
    programs: planned.programs.map(({ programBytes, digest, program, members }) => ({
      programBytes,
      digest,
      members,
      outputs: program.outputs,
      polysOut: program.polysOut,
    })),
    members: planned.members.map(({ digest, report }, member) => ({
      digest,
      report,
      /** The model's outputs as results hold them, without the batch axis. */
      results: (graphs[member]?.outputs ?? []).map(({ name, shape }) => ({
        name,
        dtype: "FP32" as const,
        shape: shape.filter((axis) => typeof axis === "number"),
      })),
    })),
  };
});

function refusalOf(planned: EncryptedPlan, minFidelity: number): string | null {
  try {
    requireFidelity(planned, minFidelity);
    return null;
  } catch (error) {
    if (isFluxError(error) && error.code === "plan_fidelity") return error.detail;
    throw error;
  }
}

/** Evenly spread over the dataset. */
async function calibrationRecords(records: Records): Promise<CalibrationRecords> {
  const rows = Math.min(CALIBRATION_RECORDS, records.count);
  const data = new Float64Array(rows * records.features);
  const chunks = Math.ceil(rows / CHUNK_RECORDS);
  for (let chunk = 0, row = 0; chunk < chunks; chunk++) {
    const count = Math.min(CHUNK_RECORDS, rows - row);
    const start = Math.floor((chunk * (records.count - count)) / Math.max(1, chunks - 1));
    data.set(await records.read(start, count), row * records.features);
    row += count;
  }
  return { rows, features: records.features, data };
}

/** Every value's range over the whole dataset; null where that would take too long to look at. */
async function rangesOf(records: Records): Promise<{ low: Float64Array; high: Float64Array } | null> {
  const { features } = records;
  if (records.count * features > RANGE_VALUES) return null;
  const low = new Float64Array(features).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(features).fill(Number.NEGATIVE_INFINITY);
  for (let start = 0; start < records.count; start += CHUNK_RECORDS) {
    const values = await records.read(start, Math.min(CHUNK_RECORDS, records.count - start));
    for (let i = 0; i < values.length; i++) {
      const feature = i % features;
      const value = values[i]!;
      if (value < low[feature]!) low[feature] = value;
      if (value > high[feature]!) high[feature] = value;
    }
  }
  return { low, high };
}
