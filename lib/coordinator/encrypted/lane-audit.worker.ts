/** The audit thread: recomputes sampled lanes of many of them at once. */
import { parentPort } from "node:worker_threads";
import { laneAuditVerdict } from "#lib/integrity/lane-audit.ts";
import { type AuditedResult, auditLanes } from "#lib/lanes/audit.ts";
import { parseResultLanes } from "#lib/lanes/block.ts";
import type { LaneEvaluator } from "#lib/lanes/evaluator.ts";
import { scatteredMasksNode } from "#lib/lanes/mask-node.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import type { Digest } from "#lib/protocol/ids.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import type { Verdict } from "../dispatch/kernel-services.ts";
import { rehearseAudits } from "./audit-rehearsal.ts";

export interface AuditItem {
  readonly program: Digest;
  /** The batch's mask seed. */
  readonly seed: Uint8Array;
  readonly run: LaneRun;
  /** Lanes to recompute, counted from the run's first. */
  readonly lanes: readonly number[];
  /** Their packed bytes as the payload held them. */
  readonly packed: Uint8Array;
  /** The donor's bytes as they came. */
  readonly result: Uint8Array;
}

export interface AuditRequest {
  /** Programs that the thread has not seen yet. */
  readonly programs: { readonly digest: Digest; readonly bytes: Uint8Array }[];
  readonly items: readonly AuditItem[];
}

/** One verdict per item, in order; none where `failure` says why the check itself broke. */
export interface AuditReply {
  readonly verdicts: readonly Verdict[];
  /** Programs that the thread dropped: send them again when they are needed. */
  readonly dropped: readonly Digest[];
  readonly failure?: string;
}

interface Ready {
  readonly program: LaneProgram;
  readonly evaluator: LaneEvaluator;
}

/** Rejects where this machine's audits are not to be trusted. */
const rehearsed = rehearseAudits(scatteredMasksNode);
// Whoever asks first is told.
rehearsed.catch(() => {});

/** Of open stages; a program is some hundred kilobytes, its evaluator some megabytes. */
const PROGRAMS_KEPT = 16;
const ready = new Map<Digest, Ready>();

parentPort?.on("message", (request: AuditRequest) => {
  void answer(request).then((reply) => parentPort?.postMessage(reply));
});

async function answer({ programs, items }: AuditRequest): Promise<AuditReply> {
  try {
    await rehearsed;
    const before = process.threadCpuUsage();
    for (const { digest, bytes } of programs) {
      const program = decodeProgram(bytes);
      ready.set(digest, { program, evaluator: await laneSimdRuntime.prepare(program) });
    }
    const verdicts: Verdict[] = new Array(items.length);
    for (const [digest, indices] of Map.groupBy(items.keys(), (index) => items[index]!.program)) {
      await auditProgram(digest, indices, items, verdicts);
    }
    const dropped = [...ready.keys()].slice(0, Math.max(0, ready.size - PROGRAMS_KEPT));
    for (const digest of dropped) {
      await ready.get(digest)?.evaluator.dispose();
      ready.delete(digest);
    }
    const { user, system } = process.threadCpuUsage(before);
    const lanes = items.reduce((sum, item) => sum + item.lanes.length, 0);
    const cpuMsPerLane = (user + system) / 1000 / Math.max(1, lanes);
    return { verdicts: verdicts.map((verdict, i) => timed(verdict, cpuMsPerLane * items[i]!.lanes.length)), dropped };
  } catch (error) {
    return {
      verdicts: [],
      dropped: [],
      failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

/** What came together is paid for together, lane by lane: preparing a program, too. */
function timed(verdict: Verdict, checkCpuMs: number): Verdict {
  return verdict.right ? { ...verdict, checkCpuMs } : verdict;
}

async function auditProgram(
  digest: Digest,
  indices: readonly number[],
  items: readonly AuditItem[],
  verdicts: Verdict[],
): Promise<void> {
  const known = ready.get(digest);
  if (!known) throw new Error(`the program ${digest} was not sent to the audit thread`);
  const audited: { readonly index: number; readonly result: AuditedResult }[] = [];
  for (const index of indices) {
    const { run, seed, lanes, packed, result } = items[index]!;
    try {
      const residues = parseResultLanes(result, known.program, run, lanes);
      audited.push({ index, result: { run, seed, lanes, packed, residues } });
    } catch (error) {
      if (!isFluxError(error)) throw error;
      verdicts[index] = { right: false, code: "result_malformed", detail: error.detail };
    }
  }
  const wrong = await auditLanes(
    known.program,
    known.evaluator,
    scatteredMasksNode,
    audited.map(({ result }) => result),
  );
  audited.forEach(({ index, result }, i) => {
    const verdict = laneAuditVerdict(result.lanes.length, wrong[i] ?? []);
    verdicts[index] = verdict.accepted
      ? { right: true, checkedUnits: verdict.auditedLanes }
      : { right: false, code: "audit_failed", detail: verdict.error.detail };
  });
}
