/** Records for tests: a tenant with a file, model, dataset and job, and the rows of a stage. */
import { createHash } from "node:crypto";
import { CreateJob } from "#lib/protocol/api/jobs.ts";
import { Digest, type DonorId, type JobId, type StageId, type TenantId } from "#lib/protocol/ids.ts";
import { freshId } from "#lib/storage/ids.ts";
import { datasetObjects } from "#lib/storage/names.ts";
import {
  type BatchRecord,
  type DatasetRecord,
  type DonorRecord,
  type FileRecord,
  type JobRecord,
  type MicrotaskRecord,
  type ModelRecord,
  StagePlan,
  type StageRecord,
} from "#lib/storage/records.ts";
import type { Acceptance, Grant, Store } from "#lib/storage/store.ts";

export const digestOf = (text: string): Digest => Digest.parse(createHash("sha256").update(text).digest("hex"));

export interface SampleJob {
  readonly tenantId: TenantId;
  readonly file: FileRecord;
  readonly model: ModelRecord;
  readonly dataset: DatasetRecord;
  readonly job: JobRecord;
}

export async function insertSampleJob(store: Store, createdAtMs = 1_000): Promise<SampleJob> {
  const tenantId = freshId("ten");
  await store.tenants.insert({ id: tenantId, name: "someone", createdAtMs });
  const file: FileRecord = {
    id: freshId("file"),
    tenantId,
    filename: "m.onnx",
    purpose: "model",
    bytes: 3,
    sha256: digestOf(tenantId),
    createdAtMs,
  };
  const model: ModelRecord = { ...sampleModel(tenantId), fileId: file.id, sha256: file.sha256, createdAtMs };
  const datasetId = freshId("dst");
  const dataset: DatasetRecord = {
    id: datasetId,
    tenantId,
    fileId: file.id,
    name: "d",
    format: "npy",
    records: 100,
    objectName: datasetObjects(datasetId),
    description: {
      version: 1,
      format: "npy",
      records: 100,
      features: 1,
      arrays: [],
      columns: [],
      label: null,
      id: null,
      preview: [],
      warnings: [],
      preprocessing: { version: 1 },
      sections: [],
    },
    createdAtMs,
  };
  const job = sampleJob(tenantId, model, dataset, createdAtMs);
  await store.files.insert(file);
  await store.models.insert(model);
  await store.datasets.insert(dataset);
  await store.jobs.insert(job);
  return { tenantId, file, model, dataset, job };
}

export function sampleModel(tenantId: TenantId = freshId("ten")): ModelRecord {
  return {
    id: freshId("mdl"),
    tenantId,
    fileId: freshId("file"),
    name: "m",
    format: "onnx",
    sha256: digestOf(tenantId),
    details: {
      opset: 17,
      inputs: [],
      outputs: [],
      operators: [],
      weights_bytes: 0,
      encrypted: { supported: false, reasons: [] },
      tfjs: null,
    },
    createdAtMs: 1_000,
  };
}

export function sampleJob(
  tenantId: TenantId,
  model: ModelRecord,
  dataset: DatasetRecord,
  createdAtMs: number,
): JobRecord {
  return {
    id: freshId("job"),
    tenantId,
    name: "job",
    status: "queued",
    privacy: "public",
    custody: "coordinator",
    datasetId: dataset.id,
    request: CreateJob.parse({ model: model.id, dataset: dataset.id, privacy: "public" }),
    plan: null,
    error: null,
    report: null,
    createdAtMs,
    startedAtMs: null,
    completedAtMs: null,
  };
}

export function sampleStage(tenantId: TenantId, jobId: JobId): StageRecord {
  return {
    id: freshId("stg"),
    jobId,
    tenantId,
    privacy: "public",
    member: 0,
    kernel: "onnx",
    specDigest: digestOf(`spec of ${jobId}`),
    state: "open",
    unitBytesIn: 4,
    unitBytesOut: 4,
    definition: StagePlan.parse({
      title: "a job",
      runtimes: ["ort-wasm"],
      artefacts: [{ digest: digestOf("model"), bytes: 5 }],
      unitMacs: 1_000,
      residentBytes: 1_000,
    }),
    createdAtMs: 1_000,
  };
}

export function sampleBatch(stageId: StageId, batch = 0, primes = 1, unitsPerPrime = 100): BatchRecord {
  return {
    stageId,
    batch,
    primes,
    unitsPerPrime,
    state: "open",
    objectName: null,
    maskSeed: null,
    keyGeneration: 0,
    fidelity: null,
    createdAtMs: 1_000,
  };
}

export function sampleMicrotask(stageId: StageId, unitStart: number, unitCount: number): MicrotaskRecord {
  return {
    id: freshId("mt"),
    stageId,
    batch: 0,
    prime: 0,
    unitStart,
    unitCount,
    state: "pending",
    fence: 1,
    failures: 0,
  };
}

export function sampleGrant(microtask: MicrotaskRecord): Grant {
  return {
    microtask,
    lease: {
      id: freshId("ls"),
      microtaskId: microtask.id,
      donorId: freshId("don"),
      fence: microtask.fence,
      grantedAtMs: 2_000,
      expiresAtMs: 7_000,
      predictedMs: 100,
    },
  };
}

/** A donor that has just come. */
export function sampleDonor(id: DonorId, facts: Partial<DonorRecord> = {}): DonorRecord {
  return {
    id,
    displayName: null,
    siteId: null,
    groupId: null,
    volunteerId: null,
    country: null,
    firstSeenAtMs: 1,
    lastSeenAtMs: 1,
    accepted: 0,
    refused: 0,
    units: 0,
    computeMs: 0,
    bannedAtMs: null,
    ...facts,
  };
}

export function sampleAcceptance({ microtask, lease }: Grant, data = new Uint8Array([1, 2, 3, 4])): Acceptance {
  return {
    leaseId: lease.id,
    microtask,
    donorId: lease.donorId,
    runtime: "ort-wasm",
    computeMs: 12.5,
    checkedUnits: 2,
    drift: 0.25,
    checkCpuMs: 0.5,
    acceptedAtMs: 3_000,
    creditedMs: 12.5,
    volunteerId: null,
    body: { kind: "inline", data },
  };
}
