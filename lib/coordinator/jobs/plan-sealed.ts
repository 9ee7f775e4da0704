/**
 * Plans a job in its submitter's custody. The key-holder compiled and rehearsed at home; what it measured there is shown as
 * it says. Everything that the coordinator acts on (sizes, counts, costs) is worked out from the uploaded programs.
 */
import { z } from "zod";
import type { CreateJob, EncryptedPlan } from "#lib/protocol/api/jobs.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { FileRecord, ModelRecord } from "#lib/storage/records.ts";
import { type Caller, type Store, SYSTEM } from "#lib/storage/store.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import { laneStages } from "./lane-stages.ts";
import { DONORS_SEE } from "./plan-encrypted.ts";
import type { PlannedStage } from "./plan-public.ts";

export interface SealedPlanner {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly donorsOnline: () => number;
}

export interface SealedPlanning {
  readonly plan: EncryptedPlan;
  /** Why the plan is refused although it works, or null. */
  readonly unfaithful: FluxError | null;
  readonly stages: (jobId: JobId, nowMs: number) => Promise<readonly PlannedStage[]>;
}

const TASK = new URL("../isolated/inspect-programs.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 30_000,
  heapMiB: 1024,
  onLimit: { code: "plan_impossible", detail: "Reading the lane programs took too long. Use a smaller model." },
};

const Inspected = z.object({
  ring: z.object({ n: z.int(), primes: z.array(z.int()) }),
  features: z.int().positive(),
  cost: z.object({
    ringDegree: z.int(),
    modulusBits: z.number(),
    recordsPerBatch: z.int().positive(),
    bytesDownPerRecord: z.number(),
    bytesUpPerRecord: z.number(),
    microtasksPerBatch: z.int().positive(),
    donorCoreSecondsPerRecord: z.number(),
  }),
  members: z.array(
    z.object({
      programBytes: z.instanceof(Uint8Array),
      outputs: z.int().positive(),
      polysOut: z.int().positive(),
      squares: z.int().nonnegative(),
    }),
  ),
});

/** @throws FluxError not_found, invalid_request, plan_impossible */
export async function planSealedJob(
  { store, blobs, donorsOnline }: SealedPlanner,
  caller: Caller,
  request: CreateJob,
  models: readonly ModelRecord[],
): Promise<SealedPlanning> {
  const { sealed } = request;
  const [first] = models;
  if (!sealed || !first) throw new Error("a sealed job has programs and models");
  if (sealed.programs.length > models.length) {
    throw new FluxError("invalid_request", "Give the programs that the job's models were compiled to, no more.", {
      param: "sealed.programs",
    });
  }
  const files: FileRecord[] = [];
  for (const id of sealed.programs) files.push(await programFile(store, caller, id));
  const paths = files.map(({ sha256 }) => blobs.path(sha256));
  const inspected = Inspected.parse(await runIsolated(TASK, { paths }, LIMITS));
  const { cost, members } = inspected;
  const { segments } = sealed;
  const batches = Math.ceil((sealed.records * segments) / cost.recordsPerBatch);
  const computed = batches * cost.recordsPerBatch;
  const online = donorsOnline();
  const donorSeconds = (cost.donorCoreSecondsPerRecord * computed) / Math.max(1, online);
  const keyHolderSeconds = (sealed.key_holder_ms_per_record * computed) / 1000;
  const faithful = sealed.fidelity.same_answer_rate >= request.min_fidelity;
  const plan: EncryptedPlan = {
    privacy: "encrypted",
    custody: "submitter",
    records: sealed.records,
    records_per_batch: Math.max(1, Math.floor(cost.recordsPerBatch / segments)),
    batches,
    microtasks: batches * cost.microtasksPerBatch * members.length,
    bytes_per_record_down: segments * cost.bytesDownPerRecord,
    bytes_per_record_up: segments * cost.bytesUpPerRecord,
    squares: Math.max(...members.map(({ squares }) => squares)),
    ring_degree: cost.ringDegree,
    modulus_bits: cost.modulusBits,
    security_bits: 128,
    core_seconds_per_record: segments * cost.donorCoreSecondsPerRecord,
    key_holder_ms_per_record: segments * sealed.key_holder_ms_per_record,
    plain_model_ms_per_record: segments * sealed.plain_model_ms_per_record,
    fidelity: {
      ...sealed.fidelity,
      wanted: request.min_fidelity,
      accepted: faithful || request.accept_fidelity,
    },
    donors_online: online,
    seconds_with_donors_online: online > 0 ? Math.max(donorSeconds, keyHolderSeconds) : null,
    donors_see: DONORS_SEE,
    experience: null,
  };
  return {
    plan,
    unfaithful: faithful
      ? null
      : new FluxError(
          "plan_fidelity",
          "The rehearsal gave the plain model's answer less often than min_fidelity wants: send accept_fidelity, or lower min_fidelity.",
        ),
    stages: (jobId, nowMs) =>
      laneStages(blobs, request, {
        tenantId: first.tenantId,
        title: request.name ?? first.name,
        ring: inspected.ring,
        features: inspected.features,
        batches,
        programs: members.map((member, index) => ({ ...member, digest: files[index]!.sha256 })),
        jobId,
        nowMs,
      }),
  };
}

async function programFile(store: Store, caller: Caller, id: FileRecord["id"]): Promise<FileRecord> {
  const param = "sealed.programs";
  const file = await store.files.get(caller, id).catch((error: unknown) => {
    if (caller !== SYSTEM && isFluxError(error) && error.code === "not_found") {
      throw new FluxError("not_found", `There is no file ${id} for this API key: upload the program.`, { param });
    }
    throw error;
  });
  if (file.purpose === "program") return file;
  throw new FluxError("invalid_request", `${id} was uploaded as a ${file.purpose}: upload it with purpose=program.`, {
    param,
  });
}
