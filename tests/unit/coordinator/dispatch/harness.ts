/** A dispatcher on a real store with a hand-moved clock, donors that compute bytes, and crashes. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bundle, Dispatcher } from "#lib/coordinator/dispatch/dispatcher.ts";
import type { DonorSession } from "#lib/coordinator/dispatch/donor-session.ts";
import type { CheckRequest, KernelServices, Verdict } from "#lib/coordinator/dispatch/kernel-services.ts";
import type { Idle } from "#lib/coordinator/dispatch/waiters.ts";
import type { Capability, LeaseRequest, Signals, Timings } from "#lib/protocol/donor.ts";
import type { DonorId, LeaseId, StageId } from "#lib/protocol/ids.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { fifoPolicy } from "#lib/scheduling/fifo.ts";
import type { Policy } from "#lib/scheduling/types.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { DonorRecord, StageRecord, UnitRange } from "#lib/storage/records.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import { insertSampleJob, type SampleJob, sampleBatch, sampleDonor, sampleStage } from "#tests/contract/samples.ts";
import { FakeClock } from "../fake-clock.ts";

export const BYTES_PER_UNIT = 4;
export const TIMINGS: Timings = { queueMs: 0, downloadMs: 1, computeMs: 50, uploadMs: 1 };

/** What an honest donor computes: each unit's position, so that a misplaced result shows. */
export function rightResult(range: UnitRange): Uint8Array {
  const bytes = new Uint8Array(range.unitCount * BYTES_PER_UNIT);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < range.unitCount; i++) {
    view.setUint32(i * BYTES_PER_UNIT, range.unitStart + i + 1_000_000 * range.prime + 10_000_000 * range.batch, true);
  }
  return bytes;
}

/** Compares the whole result: the dispatcher's tests are about leases, not about sampling. */
export async function compareWhole({ range, result }: CheckRequest): Promise<Verdict> {
  return Buffer.from(rightResult(range)).equals(result)
    ? { right: true, checkedUnits: range.unitCount }
    : { right: false, code: "audit_failed", detail: "the result differs" };
}

export const services = (check: KernelServices["checker"]["check"] = compareWhole): KernelServices => ({
  payloads: {
    payloadBytes: (_stage, range) => range.unitCount * BYTES_PER_UNIT,
    resultBytes: (_stage, range) => range.unitCount * BYTES_PER_UNIT,
    read: async (_stage, _batch, range) => new Uint8Array(range.unitCount * BYTES_PER_UNIT),
  },
  checker: { check },
});

export const CAPABILITY: Capability = {
  runtimes: [
    { runtime: "ort-wasm", threads: 1, selfTestPassed: true, int8MacsPerSecond: 1e9, float32MacsPerSecond: 1e9 },
  ],
  memoryBytes: 2 ** 29,
  logicalCores: 4,
  crossOriginIsolated: true,
  downloadBytesPerSecond: 1e8,
  measuredAt: "2026-01-01T00:00:00Z",
};
export const SIGNALS: Signals = {
  visible: true,
  cpuShare: 1,
  gpuShare: 1,
  onBattery: null,
  meteredLink: null,
  pressure: null,
  mainThreadLagMs: 0,
};
const REQUEST: LeaseRequest = { wantMs: 3_000, memoryBytes: 2 ** 29, runtimes: ["ort-wasm"], cached: [] };

export interface HarnessOptions {
  readonly policy?: Policy;
  readonly kernel?: KernelServices;
}

export class Harness {
  // In memory where the system has such a folder: these tests copy files for a crash, they do not cut the power.
  readonly folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "flux-dispatch-"));
  clock = new FakeClock();
  store: Store;
  dispatcher: Dispatcher;
  job!: SampleJob;
  stage!: StageRecord;
  readonly revoked: LeaseId[] = [];
  readonly #options: HarnessOptions;
  #generation = 0;

  constructor(options: HarnessOptions = {}) {
    this.#options = options;
    this.store = openSqliteStore(this.#path);
    this.dispatcher = this.#dispatcher();
  }

  get #path(): string {
    return join(this.folder, `flux-${this.#generation}.db`);
  }

  #dispatcher(): Dispatcher {
    return new Dispatcher({
      store: this.store,
      objects: openDiskObjects(this.folder),
      policy: this.#options.policy ?? fifoPolicy,
      costModel: createCostModel(),
      kernels: { onnx: this.#options.kernel ?? services() },
      clock: this.clock,
    });
  }

  /** A job with one stage; a unit takes `msPerUnit` on the harness's donors. */
  async open(units: number, { msPerUnit = 10, primes = 1 } = {}): Promise<StageId> {
    this.job ??= await insertSampleJob(this.store, this.clock.nowMs());
    const sample = sampleStage(this.job.tenantId, this.job.job.id);
    this.stage = {
      ...sample,
      unitBytesIn: BYTES_PER_UNIT,
      unitBytesOut: BYTES_PER_UNIT,
      definition: { ...sample.definition, unitMacs: msPerUnit * 1e6 },
    };
    await this.dispatcher.openStage(this.stage, 10, [sampleBatch(this.stage.id, 0, primes, units)]);
    return this.stage.id;
  }

  join(id: DonorId = freshId("don"), counts: Partial<DonorRecord> = {}): DonorSession {
    return this.dispatcher.join({
      record: sampleDonor(id, counts),
      capability: CAPABILITY,
      signals: SIGNALS,
      notify: (name, notice) => {
        if (name === "lease:revoked" && "leaseIds" in notice) this.revoked.push(...notice.leaseIds);
      },
      disconnect: () => {},
    });
  }

  /** Work now, or the reason for having none. */
  async request(donor: DonorSession, wantMs = 3_000, memoryBytes = REQUEST.memoryBytes): Promise<Bundle | Idle> {
    return this.dispatcher.request(donor, { ...REQUEST, wantMs, memoryBytes }, AbortSignal.abort());
  }

  waitFor(
    donor: DonorSession,
    signal = new AbortController().signal,
    memoryBytes = REQUEST.memoryBytes,
  ): Promise<Bundle | Idle> {
    return this.dispatcher.request(donor, { ...REQUEST, memoryBytes }, signal);
  }

  submit(
    donor: DonorSession,
    lease: { leaseId: LeaseId; fence: number },
    result: Uint8Array,
    computeMs = TIMINGS.computeMs,
  ): Promise<number> {
    const { leaseId, fence } = lease;
    const timings = { ...TIMINGS, computeMs };
    return this.dispatcher.submit(donor, { leaseId, fence, runtime: "ort-wasm", timings }, result);
  }

  /** kill -9 and a start: only what the database had committed is there. */
  async crash(): Promise<void> {
    const before = this.#path;
    this.#generation++;
    for (const suffix of ["", "-wal"]) {
      if (existsSync(before + suffix)) copyFileSync(before + suffix, this.#path + suffix);
    }
    const old = this.store;
    this.clock = new FakeClock(this.clock.nowMs() + 1_000);
    this.store = openSqliteStore(this.#path);
    await old.close();
    this.dispatcher = this.#dispatcher();
    await this.dispatcher.restore();
  }

  async dispose(): Promise<void> {
    await this.dispatcher.close();
    await this.store.close();
    rmSync(this.folder, { recursive: true });
  }
}
