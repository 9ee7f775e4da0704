/**
 * Plans an encrypted job: binds the dataset to the models' inputs, has a thread compile and rehearse them, and makes the
 * stages that donors will work on. The plan says what it costs and how faithful it is; nothing was sent to anybody yet.
 */
import { z } from "zod";
import { bindInputs } from "#lib/dataset/bind.ts";
import { modelInputs } from "#lib/dataset/model-inputs.ts";
import { segmentDataset } from "#lib/dataset/segmented.ts";
import { parseKeyholderPlan } from "#lib/lanes/plan.ts";
import type { CreateJob, EncryptedPlan } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { Digest, type JobId } from "#lib/protocol/ids.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { DatasetRecord, ModelRecord } from "#lib/storage/records.ts";
import { checkMembers } from "../aggregation/check-members.ts";
import type { EncryptedJobFile } from "../encrypted/job-file.ts";
import type { PlanEncryptedInput } from "../isolated/plan-encrypted.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import { laneStages } from "./lane-stages.ts";
import type { PlannedStage } from "./plan-public.ts";
import type { RecentPlans } from "./recent-plans.ts";
import { runtimesOf } from "./runtimes.ts";

export interface EncryptedPlanner {
  readonly blobs: BlobStore;
  /** The disk object store's folder, which the planning thread opens itself. */
  readonly objectsFolder: string;
  readonly donorsOnline: () => number;
  readonly recent: RecentPlans<Planned>;
}

export interface EncryptedPlanning {
  readonly plan: EncryptedPlan;
  /** Why the plan is refused although it works, or null. */
  readonly unfaithful: FluxError | null;
  readonly file: EncryptedJobFile;
  /** Makes programs and specs durable and answers the rows; not called by a dry run. */
  readonly stages: (jobId: JobId, nowMs: number) => Promise<readonly PlannedStage[]>;
}

const TASK = new URL("../isolated/plan-encrypted.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 300_000,
  heapMiB: 4096,
  onLimit: {
    code: "plan_impossible",
    detail: "Compiling the model for encrypted data took too long or too much memory. Use a smaller model.",
  },
};

export const DONORS_SEE =
  "Random-looking residues of ciphertexts, the model's quantised weights, and how many records and values there are. " +
  "No record, no result, no key.";

const Planned = z.object({
  plan: z.unknown().transform(parseKeyholderPlan),
  cost: z.object({
    ringDegree: z.int(),
    modulusBits: z.number(),
    securityBits: z.object({ level: z.int() }),
    recordsPerBatch: z.int().positive(),
    encryptedFeatures: z.int().positive(),
    bytesDownPerRecord: z.number(),
    bytesUpPerRecord: z.number(),
    microtasksPerBatch: z.int().positive(),
    donorCoreSecondsPerRecord: z.number(),
    plainMsPerRecord: z.number(),
  }),
  sameAnswers: z.number(),
  /** Words of the refusal where the plan is less faithful than wanted; null otherwise. */
  refusal: z.string().nullable(),
  rehearsals: z
    .array(
      z.object({
        fidelity: z.object({ records: z.int(), largestError: z.number(), meanError: z.number() }),
        timing: z.object({ encryptMs: z.number(), evaluateMs: z.number(), decryptMs: z.number() }),
      }),
    )
    .min(1),
  programs: z
    .array(
      z.object({
        programBytes: z.instanceof(Uint8Array),
        digest: Digest,
        outputs: z.int().positive(),
        polysOut: z.int().positive(),
      }),
    )
    .min(1),
  members: z
    .array(
      z.object({
        digest: Digest,
        report: z.object({ squares: z.int().nonnegative() }),
        results: z.array(RecordTensor).min(1),
      }),
    )
    .min(1),
});
export type Planned = z.infer<typeof Planned>;

/** @throws FluxError dataset_mismatch, plan_unsupported_operator, plan_too_deep, plan_range, plan_impossible */
export async function planEncryptedJob(
  planner: EncryptedPlanner,
  request: CreateJob,
  models: readonly ModelRecord[],
  dataset: DatasetRecord,
): Promise<EncryptedPlanning> {
  const { blobs, objectsFolder } = planner;
  const [first] = models;
  if (!first) throw new Error("a job has at least one model");
  const cut = segmentDataset(dataset.description, request.segments);
  const units = cut.description.records;
  const { inputs: bindings } = bindInputs(
    cut.description,
    modelInputs({ name: first.name, inputs: first.details.inputs }),
    { inputs: request.inputs },
  );
  const records = {
    dataset: dataset.objectName,
    description: dataset.description,
    ...(request.segments ? { segments: request.segments } : {}),
    bindings: bindings.map((binding) => ({
      ...binding,
      columns: binding.columns === null ? null : [...binding.columns],
    })),
  };
  const input: PlanEncryptedInput = {
    modelPaths: models.map((model) => pathOf(blobs, model)),
    records: { ...records, objectsFolder },
    minFidelity: request.min_fidelity,
  };
  // Model paths are digests and a dataset's object is written once: the input names everything that the plan depends on.
  const planned = await planner.recent.get(JSON.stringify(input), async () =>
    Planned.parse(await runIsolated(TASK, input, LIMITS)),
  );
  const { cost } = planned;
  checkMembers(planned.members.map(({ results }, i) => ({ name: models[i]?.name ?? first.name, outputs: results })));
  const batches = Math.ceil(units / cost.recordsPerBatch);
  const plan = planOf(planned, request, dataset.records, cut.segments, batches, planner.donorsOnline());
  const file: EncryptedJobFile = {
    version: 1,
    plan: planned.plan,
    records,
    recordsPerBatch: cost.recordsPerBatch,
    batches,
    members: planned.members.map(({ digest, results }, index) => ({
      program: digest,
      model: models[index]?.sha256 ?? first.sha256,
      outputs: results,
    })),
  };
  return {
    plan,
    unfaithful: planned.refusal === null ? null : new FluxError("plan_fidelity", planned.refusal),
    file,
    stages: (jobId, nowMs) =>
      laneStages(blobs, request, {
        tenantId: dataset.tenantId,
        title: request.name ?? first.name,
        ring: planned.plan.ring,
        features: planned.plan.input.index.length,
        batches,
        programs: planned.programs,
        jobId,
        nowMs,
      }),
  };
}

function planOf(
  { cost, rehearsals, members, programs, sameAnswers, refusal }: Planned,
  request: CreateJob,
  records: number,
  segments: number,
  batches: number,
  donorsOnline: number,
): EncryptedPlan {
  const batchMs = rehearsals.reduce(
    (sum, { timing }) => sum + timing.encryptMs / rehearsals.length + timing.decryptMs,
    0,
  );
  const keyHolderMs = batchMs / cost.recordsPerBatch;
  // Batches are whole: a half-empty one costs donors and key-holder as much as a full one.
  const computed = batches * cost.recordsPerBatch;
  const donorSeconds = (cost.donorCoreSecondsPerRecord * computed) / Math.max(1, donorsOnline);
  const keyHolderSeconds = (keyHolderMs * computed) / 1000;
  return {
    privacy: "encrypted",
    custody: request.custody ?? "coordinator",
    records,
    records_per_batch: Math.max(1, Math.floor(cost.recordsPerBatch / segments)),
    batches,
    microtasks: batches * cost.microtasksPerBatch * programs.length,
    bytes_per_record_down: segments * cost.bytesDownPerRecord,
    bytes_per_record_up: segments * cost.bytesUpPerRecord,
    squares: Math.max(...members.map(({ report }) => report.squares)),
    ring_degree: cost.ringDegree,
    modulus_bits: cost.modulusBits,
    security_bits: cost.securityBits.level,
    core_seconds_per_record: segments * cost.donorCoreSecondsPerRecord,
    key_holder_ms_per_record: segments * keyHolderMs,
    plain_model_ms_per_record: segments * cost.plainMsPerRecord,
    fidelity: {
      records: Math.min(...rehearsals.map(({ fidelity }) => fidelity.records)),
      same_answer_rate: sameAnswers,
      largest_error: Math.max(...rehearsals.map(({ fidelity }) => fidelity.largestError)),
      mean_error: rehearsals.reduce((sum, { fidelity }) => sum + fidelity.meanError, 0) / rehearsals.length,
      wanted: request.min_fidelity,
      accepted: refusal === null || request.accept_fidelity,
    },
    donors_online: donorsOnline,
    seconds_with_donors_online: donorsOnline > 0 ? Math.max(donorSeconds, keyHolderSeconds) : null,
    donors_see: DONORS_SEE,
    experience: null,
  };
}

/** @throws FluxError plan_unsupported_operator for a model of which there is no ONNX: import did not know its layers */
function pathOf(blobs: BlobStore, model: ModelRecord): string {
  if (!runtimesOf(model).some(({ runtime }) => runtime === "onnxruntime")) {
    const [reason] = model.details.encrypted.reasons;
    throw new FluxError(
      "plan_unsupported_operator",
      `${reason ?? "Its layers are not known here."} As a public job TensorFlow.js runs it.`,
    );
  }
  const path = blobs.path(model.sha256);
  if (path === undefined) throw new Error("models are compiled from blobs on this machine's disk");
  return path;
}
