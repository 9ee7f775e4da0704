/**
 * Task: compiles models to an encrypted plan and rehearses it on calibration records: what a job costs and how faithful it
 * is, before anybody is asked to compute it.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { calibrationRecords, rangesOf } from "#lib/keyholder/calibration.ts";
import { type EncryptedPlan, planEncrypted, requireFidelity } from "#lib/keyholder/rehearse.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { prepareOnThisThread } from "#worker/kernels/lanes/program-runner.ts";
import { openRecords, RecordsInput } from "../encrypted/records.ts";
import { serveTask } from "./task.ts";
import { encryptInTwoThreads } from "./two-threads.ts";

const Input = z.object({
  modelPaths: z.array(z.string()).min(1),
  records: RecordsInput,
  minFidelity: z.number(),
});
export type PlanEncryptedInput = z.input<typeof Input>;

await serveTask(async (raw) => {
  const input = Input.parse(raw);
  const graphs = await Promise.all(input.modelPaths.map(async (path) => importOnnx(await readFile(path))));
  const records = openRecords(input.records);
  const calibration = await calibrationRecords(records);
  const ranges = await rangesOf(records);
  const planned = await planEncrypted(graphs, calibration, {
    prepare: prepareOnThisThread,
    makePhases: encryptInTwoThreads,
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
