/** The stages of an encrypted job, one per member: programs and specs made durable, rows for the dispatcher. */
import { limbCount } from "#lib/lanes/block.ts";
import type { LaneProgram, LaneRing } from "#lib/lanes/program.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import type { CreateJob } from "#lib/protocol/api/jobs.ts";
import type { Digest, JobId, TenantId } from "#lib/protocol/ids.ts";
import type { LanesStageSpec } from "#lib/protocol/stage.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { StageRecord } from "#lib/storage/records.ts";
import { type LaneSource, unitBytes } from "../encrypted/lane-source.ts";
import type { PlannedStage } from "./plan-public.ts";

export interface LaneStages {
  readonly jobId: JobId;
  readonly tenantId: TenantId;
  readonly title: string;
  readonly ring: LaneRing;
  /** Encrypted values of a lane. */
  readonly features: number;
  readonly batches: number;
  /** What the job's members were joined to: one stage each. */
  readonly programs: readonly {
    readonly programBytes: Uint8Array;
    readonly digest: Digest;
    readonly outputs: number;
    readonly polysOut: number;
  }[];
  readonly nowMs: number;
}

export async function laneStages(
  blobs: BlobStore,
  request: CreateJob,
  { jobId, tenantId, title, ring, features, batches, programs, nowMs }: LaneStages,
): Promise<readonly PlannedStage[]> {
  const stages: PlannedStage[] = [];
  for (const [part, { programBytes, digest, outputs, polysOut }] of programs.entries()) {
    const program = await blobs.put([programBytes]);
    if (program.digest !== digest) throw new Error(`program ${part} has another digest than it says`);
    const stageId = freshId("stg");
    const spec: LanesStageSpec = { kernel: "lanes", version: 1, jobId, stageId, program };
    const specBlob = await blobs.put([new TextEncoder().encode(JSON.stringify(spec))]);
    const source: LaneSource = {
      kind: "lanes",
      ring: { n: ring.n, primes: [...ring.primes] },
      features,
      outputs,
      polysOut,
      program: digest,
    };
    const { bytesIn, bytesOut } = unitBytes(source);
    const stage: StageRecord = {
      id: stageId,
      jobId,
      tenantId,
      privacy: "encrypted",
      member: part,
      kernel: "lanes",
      specDigest: specBlob.digest,
      state: "open",
      unitBytesIn: bytesIn,
      unitBytesOut: bytesOut,
      definition: {
        title,
        runtimes: ["lane-simd", "ort-wasm", "ort-webgpu", "tfjs-wasm", "tfjs-webgpu"],
        artefacts: [program],
        unitMacs: laneMacs(decodeProgram(programBytes)),
        residentBytes: 16 * programBytes.length + 32 * 2 ** 20,
        weight: 1,
        priority: request.priority,
        deadlineAtMs: request.deadline === undefined ? null : Date.parse(request.deadline),
        regions: request.regions ? { allow: request.regions.allow ?? [], prefer: request.regions.prefer ?? [] } : null,
        groupId: request.group ?? null,
        minReliability: 0,
        batches,
        stages: programs.length,
        source,
      },
      createdAtMs: nowMs,
    };
    stages.push({ stage, specBytes: specBlob.bytes, batches: [] });
  }
  return stages;
}

/** Int8 multiply-adds of one lane: weights × digits × limbs × polynomials, step by step (a square doubles the polynomials, less one). */
function laneMacs(program: LaneProgram): number {
  const limbs = Math.max(...program.ring.primes.map(limbCount));
  let polys = 2;
  let macs = 0;
  for (const step of program.steps) {
    if (step.kind === "square") {
      polys = 2 * polys - 1;
      continue;
    }
    for (const { matrix } of step.groups) {
      const { k, m, digits } = program.matrices[matrix] ?? { k: 0, m: 0, digits: [] };
      macs += polys * limbs * k * m * digits.length;
    }
  }
  return macs;
}
