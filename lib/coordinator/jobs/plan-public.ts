/**
 * Plans a public job: binds the dataset to the model's inputs, tries the model on the first records, and makes the stage
 * that donors will work on. Everything that can be wrong with a public job is found here, before it is accepted.
 */
import type { InputBinding } from "#lib/dataset/bind.ts";
import { bindInputs } from "#lib/dataset/bind.ts";
import { modelInputs } from "#lib/dataset/model-inputs.ts";
import { type DatasetReader, openDataset } from "#lib/dataset/reader.ts";
import { openSegments, segmentDataset } from "#lib/dataset/segmented.ts";
import type { CreateJob, PublicPlan, RuntimePlan } from "#lib/protocol/api/jobs.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS, SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import type { OnnxStageSpec, TfjsStageSpec } from "#lib/protocol/stage.ts";
import { bytesPerRecord, elementsPerRecord } from "#lib/protocol/tensors.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord, DatasetRecord, ModelRecord, StageRecord } from "#lib/storage/records.ts";
import { checkMembers } from "../aggregation/check-members.ts";
import { objectSections } from "../dataset-sections.ts";
import type { ModelProbe, ProbeReport, ProbeRequest } from "./probe.ts";
import { type RecordSource, readPayload } from "./record-payloads.ts";
import { candidates, chooseRun, DONOR_RUNTIMES, type ModelRun, type Tried } from "./runtimes.ts";

export interface PlannedStage {
  readonly stage: StageRecord;
  readonly specBytes: number;
  readonly batches: readonly BatchRecord[];
}

export interface PublicPlanning {
  readonly plan: PublicPlan;
  /** Makes the stages' specs durable and answers the rows; not called by a dry run. */
  readonly stages: (jobId: JobId, nowMs: number) => Promise<readonly PlannedStage[]>;
}

export interface PublicPlanner {
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  readonly probe: ModelProbe;
  readonly donorsOnline: () => number;
}

/** Enough to time a batch, little enough to be quick for the largest models. */
const PROBE_RECORDS = 64;
/** A WASM thread's usual float32 speed: turns measured time into the multiply-adds that the scheduler counts in. */
const MACS_PER_MS = 8e6;

const DONORS_SEE =
  "Everything: the model's weights and every record as it is. This job was declared public by its submitter.";

/** @throws FluxError dataset_mismatch, model_unsupported, dataset_too_large */
export async function planPublic(
  planner: PublicPlanner,
  request: CreateJob,
  models: readonly ModelRecord[],
  dataset: DatasetRecord,
): Promise<PublicPlanning> {
  const cut = segmentDataset(dataset.description, request.segments);
  const sections = objectSections(planner.objects, dataset.objectName);
  const reader = openSegments(openDataset(dataset.description, sections), cut);
  const units = cut.description.records;
  const members: Member[] = [];
  for (const model of models) members.push(await planMember(planner, request, model, reader));
  checkMembers(members.map(({ model, probe }) => ({ name: model.name, outputs: probe.outputs })));

  const donorsOnline = planner.donorsOnline();
  const donorSeconds = members.reduce((sum, { probe }) => sum + (probe.msPerRecord * units) / 1000, 0);
  const down = cut.segments * members.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  const up = cut.segments * members.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  return {
    plan: {
      privacy: "public",
      records: dataset.records,
      microtasks: members.reduce((sum, member) => sum + microtasks(member, units), 0),
      bytes_per_record_down: down,
      bytes_per_record_up: up,
      runtimes: members.map(({ runtimePlan }) => runtimePlan),
      donor_seconds: donorSeconds,
      donors_online: donorsOnline,
      seconds_with_donors_online: donorsOnline > 0 ? donorSeconds / donorsOnline : null,
      donors_see: DONORS_SEE,
    },
    stages: async (jobId, nowMs) => {
      const planned: PlannedStage[] = [];
      for (const [index, member] of members.entries()) {
        planned.push(
          await makeStage(planner.blobs, request, dataset, units, member, { index, of: members.length }, jobId, nowMs),
        );
      }
      return planned;
    },
  };
}

interface Member {
  readonly model: ModelRecord;
  readonly run: ModelRun;
  readonly runtimePlan: RuntimePlan;
  readonly modelBytes: number;
  readonly bindings: readonly InputBinding[];
  readonly probe: ProbeReport;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

async function planMember(
  { blobs, probe }: PublicPlanner,
  request: CreateJob,
  model: ModelRecord,
  reader: DatasetReader,
): Promise<Member> {
  const { inputs: bindings } = bindInputs(
    reader.description,
    modelInputs({ name: model.name, inputs: model.details.inputs }),
    { inputs: request.inputs },
  );
  const bytesIn = bindings.reduce((sum, { stored }) => sum + bytesPerRecord(stored), 0);
  if (bytesIn > SOCKET_LIMITS.payloadBytes) {
    throw new FluxError(
      "dataset_too_large",
      `One record has ${bytesIn} bytes; a donor is sent up to ${SOCKET_LIMITS.payloadBytes} at once. Make the records smaller.`,
    );
  }
  const records = Math.min(PROBE_RECORDS, reader.description.records);
  const payload = await readPayload(reader, bindings, 0, records);
  const { run, report, runtimePlan } = await tryRuns(probe, request, model, {
    outputNames: model.details.outputs.map(({ name }) => name),
    inputs: bindings.map(stageInput),
    fixedBatch: model.details.inputs.some(({ shape }) => shape[0] === 1),
    payload,
    records,
  });
  const blob = await blobs.stat(run.digest);
  if (!blob) throw new Error(`the blob of ${model.id} is gone`);
  const bytesOut = report.outputs.reduce((sum, output) => sum + 4 * elementsPerRecord(output), 0);
  if (bytesOut > SOCKET_LIMITS.payloadBytes) {
    throw new FluxError(
      "model_unsupported",
      `One record's outputs have ${bytesOut} bytes; a donor may send up to ${SOCKET_LIMITS.payloadBytes} at once. Remove outputs that are not needed.`,
    );
  }
  return { model, run, runtimePlan, modelBytes: blob.bytes, bindings, probe: report, bytesIn, bytesOut };
}

/** Runs the model on its first records in every way that is open, and takes one; throws where none works. */
async function tryRuns(
  probe: ModelProbe,
  request: CreateJob,
  model: ModelRecord,
  records: Omit<ProbeRequest, "run">,
): Promise<{ run: ModelRun; report: ProbeReport; runtimePlan: RuntimePlan }> {
  const tried: Tried<ProbeReport>[] = [];
  let refusal: unknown;
  // One after the other: side by side they would slow each other down.
  for (const run of candidates(model, request.runtime)) {
    try {
      tried.push({ run, probe: await probe({ run, ...records }) });
    } catch (error) {
      if (!isFluxError(error)) throw error;
      refusal ??= error;
    }
  }
  if (tried.length === 0) throw refusal;
  const { chosen, why } = chooseRun(tried, request.runtime);
  const micros = (runtime: ModelRun["runtime"]) => {
    const found = tried.find(({ run }) => run.runtime === runtime);
    return found ? 1000 * found.probe.msPerRecord : null;
  };
  return {
    run: chosen.run,
    report: chosen.probe,
    runtimePlan: {
      model: model.id,
      runtime: chosen.run.runtime,
      why,
      microseconds_per_record: { onnxruntime: micros("onnxruntime"), tfjs: micros("tfjs") },
    },
  };
}

/** How many pieces it would be for a donor like this machine: what a frame holds, or what three seconds allow. */
function microtasks({ probe, bytesIn, bytesOut }: Member, records: number): number {
  const byFrame = Math.floor(SOCKET_LIMITS.payloadBytes / Math.max(bytesIn, bytesOut));
  const byTime = Math.floor(LEASE_LIMITS.microtaskMs / Math.max(probe.msPerRecord, 1e-6));
  return Math.ceil(records / Math.max(1, Math.min(byFrame, byTime)));
}

async function makeStage(
  blobs: BlobStore,
  request: CreateJob,
  dataset: DatasetRecord,
  units: number,
  member: Member,
  { index, of }: { readonly index: number; readonly of: number },
  jobId: JobId,
  nowMs: number,
): Promise<PlannedStage> {
  const { model, run, modelBytes, bindings, probe, bytesIn, bytesOut } = member;
  const stageId = freshId("stg");
  const modelArtefact = { digest: run.digest, bytes: modelBytes };
  const spec: OnnxStageSpec | TfjsStageSpec = {
    ...(run.runtime === "tfjs" ? { kernel: "tfjs", format: run.format } : { kernel: "onnx" }),
    version: 1,
    jobId,
    stageId,
    model: modelArtefact,
    inputs: bindings.map(stageInput),
    outputs: probe.outputs.map((output) => ({ ...output, shape: [...output.shape] })),
    batchRecords: probe.batchRecords,
  };
  const specBlob = await blobs.put([new TextEncoder().encode(JSON.stringify(spec))]);
  const source: RecordSource = {
    dataset: dataset.id,
    ...(request.segments ? { segments: request.segments } : {}),
    bindings: bindings.map((binding) => ({
      ...stageInput(binding),
      array: binding.array,
      columns: binding.columns === null ? null : [...binding.columns],
    })),
  };
  const stage: StageRecord = {
    id: stageId,
    jobId,
    tenantId: dataset.tenantId,
    privacy: "public",
    member: index,
    kernel: spec.kernel,
    specDigest: specBlob.digest,
    state: "open",
    unitBytesIn: bytesIn,
    unitBytesOut: bytesOut,
    definition: {
      title: request.name ?? model.name,
      runtimes: DONOR_RUNTIMES[run.runtime],
      artefacts: [modelArtefact],
      unitMacs: probe.msPerRecord * MACS_PER_MS,
      residentBytes: 3 * modelBytes + 4 * probe.batchRecords * (bytesIn + bytesOut),
      weight: 1,
      priority: request.priority,
      deadlineAtMs: request.deadline === undefined ? null : Date.parse(request.deadline),
      regions: request.regions ? { allow: request.regions.allow ?? [], prefer: request.regions.prefer ?? [] } : null,
      groupId: request.group ?? null,
      minReliability: 0,
      batches: 1,
      stages: of,
      source,
    },
    createdAtMs: nowMs,
  };
  const batch: BatchRecord = {
    stageId,
    batch: 0,
    primes: 1,
    unitsPerPrime: units,
    state: "open",
    objectName: null,
    maskSeed: null,
    keyGeneration: 0,
    fidelity: null,
    createdAtMs: nowMs,
  };
  return { stage, specBytes: specBlob.bytes, batches: [batch] };
}

function stageInput(binding: InputBinding) {
  const { name, stored, model, scale, offset, inner } = binding;
  return { name, stored, model, scale, offset, ...(inner === undefined ? {} : { inner }) };
}
