/** Small donors and stages with everything usual filled in. */
import type { DonorId, JobId, LeaseId, MicrotaskId, StageId, TenantId } from "#lib/protocol/ids.ts";
import { Board } from "#lib/scheduling/board.ts";
import type { DonorView, StageDefinition } from "#lib/scheduling/types.ts";

let serial = 0;
export const donorId = (name: string | number) => `don_${name}` as DonorId;
export const stageId = (name: string | number) => `stg_${name}` as StageId;
export const tenantId = (name: string | number) => `ten_${name}` as TenantId;
export const microtaskId = () => `mt_${serial++}` as MicrotaskId;
export const leaseId = () => `ls_${serial++}` as LeaseId;

export function makeDonor(name: string | number, fields: Partial<DonorView> = {}): DonorView {
  return {
    id: donorId(name),
    deviceClass: "4-cores",
    runtimes: [{ runtime: "ort-wasm", int8MacsPerSecond: 10e9, float32MacsPerSecond: 4e9 }],
    benchmarkDownBytesPerSecond: 5e6,
    connectedAtMs: 0,
    country: "DE",
    groupIds: new Set(),
    memoryBytes: 512 * 2 ** 20,
    heldBytes: 0,
    cached: new Set(),
    visible: true,
    cpuShare: 1,
    gpuShare: 1,
    reliability: 1,
    busyUntilMs: 0,
    ...fields,
  };
}

/** One unit: 1 KiB in, 64 B out, a million multiply-adds (0.1 ms on the usual donor). */
export function makeStage(name: string | number, fields: Partial<StageDefinition> = {}): StageDefinition {
  return {
    id: stageId(name),
    jobId: `job_${name}` as JobId,
    submitterId: tenantId("a"),
    weight: 1,
    priority: 0,
    deadlineAtMs: null,
    createdAtMs: 0,
    regions: null,
    groupId: null,
    minReliability: 0,
    kernel: "lanes",
    runtimes: ["ort-wasm", "ort-webgpu"],
    artefacts: [],
    unitBytesIn: 1024,
    unitBytesOut: 64,
    unitMacs: 1e6,
    residentBytes: 2 ** 20,
    ...fields,
  };
}

export function makeBoard(): Board {
  return new Board({ newMicrotaskId: microtaskId });
}

/** Adds `count` microtasks of `units` units each. */
export function addMicrotasks(board: Board, stage: StageId, count: number, units: number): void {
  for (let i = 0; i < count; i++) {
    board.addMicrotask(stage, { id: microtaskId(), unitStart: i * units, unitCount: units });
  }
}
