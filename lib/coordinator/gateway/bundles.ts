/** Packs what the dispatcher granted into one answer: leases as the wire has them, and the payloads that fit inside. */
import type { JobNotice, Lease, LeaseAnswer } from "#lib/protocol/donor.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import type { Bundle, Dispatcher, Granted } from "../dispatch/dispatcher.ts";
import type { Reply } from "./requests.ts";

/** Longest time that the protocol can express. */
const MAX_MS = 3_600_000;
const RETRY_MS = 200;

/** Payloads ride inside while they fit `inlinePayloadBytes` together; the others are asked for with payload:get. */
export async function packBundle(dispatcher: Dispatcher, bundle: Bundle, nowMs: number): Promise<Reply<LeaseAnswer>> {
  let room = SOCKET_LIMITS.inlinePayloadBytes;
  const inlined = bundle.leases.map((granted) => {
    const fits = granted.payloadBytes <= room;
    if (fits) room -= granted.payloadBytes;
    return fits;
  });
  const payloads = await Promise.allSettled(
    bundle.leases.map(async ({ attempt, stage }, i) =>
      inlined[i] ? await dispatcher.readPayload(attempt, stage) : undefined,
    ),
  );

  const leases: Lease[] = [];
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [i, granted] of bundle.leases.entries()) {
    const payload = payloads[i];
    // A payload that could not be read: the dispatcher has taken that lease back.
    if (payload?.status !== "fulfilled") continue;
    leases.push(wireLease(granted, payload.value ? offset : null, nowMs));
    if (!payload.value) continue;
    parts.push(payload.value);
    offset += payload.value.byteLength;
  }
  if (leases.length === 0) {
    return { value: { kind: "wait", why: "the payloads could not be read", retryAfterMs: RETRY_MS } };
  }
  const buffer = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  const value: LeaseAnswer = { kind: "bundle", leases, jobs: noticesOf(bundle.leases) };
  return buffer ? { value, buffer } : { value };
}

function wireLease(granted: Granted, inlineOffset: number | null, nowMs: number): Lease {
  const { attempt, stage, payloadBytes, resultBytes } = granted;
  const { microtask } = attempt;
  return {
    leaseId: attempt.leaseId,
    fence: attempt.fence,
    microtaskId: microtask.id,
    stageId: stage.id,
    jobId: stage.jobId,
    kernel: stage.kernel,
    specDigest: stage.specDigest,
    unitStart: microtask.unitStart,
    unitCount: microtask.unitCount,
    batch: microtask.batch,
    prime: microtask.prime,
    payloadBytes,
    resultBytes,
    inlineOffset,
    leaseMs: Math.min(MAX_MS, Math.max(0, attempt.expiresAtMs - nowMs)),
    predictedMs: Math.min(MAX_MS, attempt.predictedMs),
  };
}

function noticesOf(leases: readonly Granted[]): JobNotice[] {
  const notices = new Map<string, JobNotice>();
  for (const { stage } of leases) {
    notices.set(stage.jobId, { jobId: stage.jobId, title: stage.definition.title, privacy: stage.privacy });
  }
  return [...notices.values()];
}
