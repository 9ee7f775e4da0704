/** The hard filters: what no score can outweigh. Each returns the first reason why a donor may not have a stage's work. */
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import type { KernelKind } from "#lib/protocol/stage.ts";
import { regionAllows } from "./regions.ts";
import type { DonorView, IdleReason, Microtask, RuntimeRate, StageDefinition, StageView } from "./types.ts";

export type Refusal = Extract<IdleReason, "no-runtime" | "region" | "group" | "memory" | "reliability">;

/** Null: this donor may have this stage's work. */
export function refusal(donor: DonorView, stage: StageView): Refusal | null {
  const { definition } = stage;
  if (definition.groupId !== null && !donor.groupIds.has(definition.groupId)) return "group";
  if (!regionAllows(stage.allowedCountries, donor.country)) return "region";
  if (!hasRuntime(donor, definition)) return "no-runtime";
  if (donor.reliability < definition.minReliability) return "reliability";
  if (donor.memoryBytes < definition.residentBytes + leaseBytes(definition, 1)) return "memory";
  return null;
}

/**
 * Units whose payload and result fit beside the kernel and what the donor holds.
 * @param filledBytes what a bundle in the making adds to that
 */
export function unitsInMemory(donor: DonorView, stage: StageView, filledBytes = 0): number {
  const { definition } = stage;
  const freeBytes = donor.memoryBytes - donor.heldBytes - filledBytes - definition.residentBytes;
  return Math.max(0, Math.floor(freeBytes / Math.max(1, leaseBytes(definition, 1))));
}

/** Payload and result of so many units, as long as the donor has both. */
export function leaseBytes({ unitBytesIn, unitBytesOut }: StageDefinition, units: number): number {
  return units * (unitBytesIn + unitBytesOut);
}

/** Units whose payload and result each fit one frame of the donor socket: no lease is larger. */
export function unitsInFrame({ unitBytesIn, unitBytesOut }: StageDefinition): number {
  return Math.max(1, Math.floor(SOCKET_LIMITS.payloadBytes / Math.max(1, unitBytesIn, unitBytesOut)));
}

/** A donor whose attempt was refused, or who holds an attempt, never gets the same microtask (again). */
export function mayAttempt(donor: DonorView, microtask: Microtask): boolean {
  if (microtask.refusedTo.length > 0 && microtask.refusedTo.includes(donor.id)) return false;
  return !microtask.attempts.some((attempt) => attempt.donorId === donor.id);
}

/** The benchmark's figure for a kernel, in multiply-adds a second; 0: the runtime cannot run it. */
export function benchmarkRate(rate: RuntimeRate, kernel: KernelKind): number {
  return kernel === "lanes" ? rate.int8MacsPerSecond : rate.float32MacsPerSecond;
}

function hasRuntime(donor: DonorView, { runtimes, kernel }: StageDefinition): boolean {
  for (const rate of donor.runtimes)
    if (runtimes.includes(rate.runtime) && benchmarkRate(rate, kernel) > 0) return true;
  return false;
}
