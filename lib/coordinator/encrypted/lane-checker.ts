/**
 * Checks results of encrypted stages: draws lanes, reads their bytes again, and has a thread recompute them
 * (lane-audit.worker.ts). While the thread works, further results gather and go in one product.
 */
import { randomInt } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { lanesToAudit, USUAL_LANE_SHARE } from "#lib/integrity/lane-audit.ts";
import { sampleUnits } from "#lib/integrity/sampling.ts";
import { blobRange, laneBytes } from "#lib/lanes/block.ts";
import type { Digest } from "#lib/protocol/ids.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord, StageRecord, UnitRange } from "#lib/storage/records.ts";
import type { CheckRequest, ResultChecker, Verdict } from "../dispatch/kernel-services.ts";
import { startThread } from "../thread.ts";
import type { AuditItem, AuditReply, AuditRequest } from "./lane-audit.worker.ts";
import { ciphertextsOf } from "./lane-payloads.ts";
import { laneSourceOf, runOf } from "./lane-source.ts";

export interface LaneChecker extends ResultChecker {
  /**
   * Recomputes every lane of a stored result: what follows when a batch did not decrypt.
   * @returns true where all of them are right
   */
  recheck(stage: StageRecord, batch: BatchRecord, range: UnitRange, result: Uint8Array): Promise<boolean>;
  close(): Promise<void>;
}

interface Waiting {
  readonly item: AuditItem;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: Error) => void;
}

/** Results in one product: more would make the first of them wait too long. */
const TOGETHER = 32;

/** @param auditedShare of a known donor's lanes that is recomputed */
export function laneChecker(
  blobs: BlobStore,
  objects: ObjectStore,
  auditedShare: () => number = () => USUAL_LANE_SHARE,
): LaneChecker {
  const waiting: Waiting[] = [];
  let inThread: Waiting[] = [];
  let worker: Worker | undefined;
  const sentPrograms = new Set<Digest>();

  function thread(): Worker {
    if (worker) return worker;
    const started = startThread(new URL("./lane-audit.worker.ts", import.meta.url));
    started.on("message", (reply: AuditReply) => settle(reply));
    started.on("error", (error) => ended(started, error));
    started.on("exit", (code) => ended(started, new Error(`the audit thread ended with code ${code}`)));
    // An idle auditor must not keep a closing process alive.
    started.unref();
    worker = started;
    return started;
  }

  function ended(which: Worker, error: Error): void {
    if (worker !== which) return;
    worker = undefined;
    sentPrograms.clear();
    const lost = inThread;
    inThread = [];
    for (const { reject } of lost) reject(error);
    pump();
  }

  function settle(reply: AuditReply): void {
    const done = inThread;
    inThread = [];
    for (const digest of reply.dropped) sentPrograms.delete(digest);
    done.forEach(({ resolve, reject }, index) => {
      const verdict = reply.verdicts[index];
      if (verdict) resolve(verdict);
      else reject(new Error(reply.failure ?? "the audit thread gave no verdict"));
    });
    pump();
  }

  function pump(): void {
    if (inThread.length > 0 || waiting.length === 0) return;
    inThread = waiting.splice(0, TOGETHER);
    void send(inThread).catch((error: unknown) => {
      const lost = inThread;
      inThread = [];
      for (const { reject } of lost) reject(error instanceof Error ? error : new Error(String(error)));
      pump();
    });
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    const programs: AuditRequest["programs"] = [];
    for (const digest of new Set(batch.map(({ item }) => item.program))) {
      if (sentPrograms.has(digest)) continue;
      programs.push({ digest, bytes: await blobs.read(digest) });
      sentPrograms.add(digest);
    }
    const request: AuditRequest = { programs, items: batch.map(({ item }) => item) };
    const buffers = request.items.flatMap(({ packed, result }) => [packed.buffer, result.buffer]);
    // Both are copies of our own: they go over without another one.
    thread().postMessage(
      request,
      buffers.filter((buffer) => buffer instanceof ArrayBuffer),
    );
  }

  async function audit(stage: StageRecord, batch: BatchRecord, range: UnitRange, result: Uint8Array, lanes: number[]) {
    const { program, ring, features } = laneSourceOf(stage);
    const { objectName, seed } = ciphertextsOf(batch);
    const run = runOf(range);
    const bytes = laneBytes(ring.primes[run.primeIndex] ?? 0, features);
    const { offset } = blobRange(ring, features, run);
    const packed = new Uint8Array(lanes.length * bytes);
    if (lanes.length === range.unitCount) {
      packed.set(await objects.read(objectName, { offset, bytes: packed.length }));
    } else {
      await Promise.all(
        lanes.map(async (lane, i) => {
          packed.set(await objects.read(objectName, { offset: offset + lane * bytes, bytes }), i * bytes);
        }),
      );
    }
    const item: AuditItem = { program, seed, run, lanes, packed, result: Uint8Array.from(result) };
    return new Promise<Verdict>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      pump();
    });
  }

  return {
    async check({ stage, batch, range, donor, result }: CheckRequest) {
      const wanted = lanesToAudit(range.unitCount, donor, auditedShare());
      return audit(stage, batch, range, result, sampleUnits(range.unitCount, wanted, randomInt));
    },
    async recheck(stage, batch, range, result) {
      const all = Array.from({ length: range.unitCount }, (_, lane) => lane);
      return (await audit(stage, batch, range, result, all)).right;
    },
    async close() {
      const open = worker;
      worker = undefined;
      await open?.terminate();
    },
  };
}
