/** A donor loop against the fake coordinator, with a compute worker that the test plays. */
import type { Capability } from "#lib/protocol/donor.ts";
import { type Clock, systemClock } from "#worker/clock.ts";
import { DEFAULT_SETTINGS } from "#worker/host/keeping.ts";
import { NOTHING_SEEN } from "#worker/host/signals.ts";
import { openArtefacts, sha256Hex } from "#worker/loop/artefacts.ts";
import { type ComputeWorker, createComputeHost } from "#worker/loop/compute-host.ts";
import { createDonorLoop } from "#worker/loop/donor-loop.ts";
import { openLink } from "#worker/loop/link.ts";
import type { ComputeCalls, ComputeTask, DonorView, LoopToPage, PageSignals, StartOptions } from "#worker/messages.ts";
import { type Handlers, serveCalls } from "#worker/peer.ts";
import type { FakeCoordinator } from "../../../support/fake-coordinator.ts";

export const CAPABILITY: Capability = {
  runtimes: [
    { runtime: "ort-wasm", threads: 1, selfTestPassed: true, int8MacsPerSecond: 1e9, float32MacsPerSecond: 1e9 },
    { runtime: "ort-webgpu", threads: 1, selfTestPassed: false, int8MacsPerSecond: 0, float32MacsPerSecond: 1e9 },
  ],
  memoryBytes: 2 ** 28,
  logicalCores: 2,
  crossOriginIsolated: true,
  downloadBytesPerSecond: 1e6,
  measuredAt: "2026-01-01T00:00:00Z",
};

export const SIGNALS: PageSignals = { ...NOTHING_SEEN, onBattery: false, meteredLink: false };

/** What the played worker does with a task; the default gives the payload back. */
export type Play = (task: ComputeTask, signal: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;

export interface Harness {
  readonly loop: ReturnType<typeof createDonorLoop>;
  readonly views: DonorView[];
  readonly messages: LoopToPage[];
  /** Workers started so far. */
  readonly spawned: PlayedWorker[];
  /** The first view, past or coming, for which this holds. */
  view(holds: (view: DonorView) => boolean): Promise<DonorView>;
  message<Kind extends LoopToPage["kind"]>(kind: Kind): Promise<Extract<LoopToPage, { kind: Kind }>>;
  start(overrides?: Partial<StartOptions>): void;
  stop(): void;
}

export interface PlayedWorker {
  terminated: boolean;
  crash(detail: string): void;
}

export function createHarness(coordinator: FakeCoordinator, play: Play, clock: Clock = systemClock): Harness {
  const messages: LoopToPage[] = [];
  const waiting = new Set<() => void>();
  const spawned: PlayedWorker[] = [];

  const loop = createDonorLoop({
    clock,
    openLink,
    openArtefacts: (origin, onDownload) =>
      openArtefacts({ origin, fetch, caches: null, sha256: sha256Hex, onDownload }),
    createComputeHost: (options) => createComputeHost({ ...options, spawn: () => spawnPlayed(play, spawned) }),
    measureDownload: async () => 1e6,
    send(message) {
      messages.push(message);
      for (const wake of [...waiting]) wake();
    },
  });

  async function until<Found>(find: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  }

  const views = (): DonorView[] => messages.flatMap((message) => (message.kind === "view" ? [message.view] : []));
  return {
    loop,
    messages,
    spawned,
    get views() {
      return views();
    },
    view: (holds) => until(() => views().find(holds)),
    message: (kind) =>
      until(() =>
        messages.find((message): message is Extract<LoopToPage, { kind: typeof kind }> => message.kind === kind),
      ),
    start(overrides = {}) {
      const settings = DEFAULT_SETTINGS;
      const options = { origin: coordinator.origin, settings, signals: SIGNALS, capability: CAPABILITY, ...overrides };
      loop.handle({ kind: "start", options });
    },
    stop: () => loop.handle({ kind: "stop" }),
  };
}

function spawnPlayed(play: Play, spawned: PlayedWorker[]): ComputeWorker {
  const { port1, port2 } = new MessageChannel();
  const crashed: ((detail: string) => void)[] = [];
  const played: PlayedWorker = {
    terminated: false,
    crash(detail) {
      for (const listener of crashed) listener(detail);
    },
  };
  spawned.push(played);
  const prepared = new Set<string>();
  const handlers: Handlers<ComputeCalls> = {
    prepare: async ({ spec }) => {
      prepared.add(spec.stageId);
      return { value: { runtime: "ort-wasm" } };
    },
    run: async (task, signal) => {
      if (!prepared.has(task.stageId)) throw new Error("This stage was not prepared in this worker");
      const result = await play(task, signal);
      return { value: { result, runtime: "ort-wasm", computeMs: 5, restMs: 0 }, transfer: [result.buffer] };
    },
    release: async () => ({ value: null }),
    share: async () => ({ value: null }),
    ping: async () => ({ value: null }),
    benchmark: async () => ({ value: CAPABILITY }),
  };
  serveCalls<ComputeCalls>(
    {
      postMessage: (message, transfer) => port2.postMessage(message, transfer),
      addEventListener: (type, listener) => port2.addEventListener(type, listener),
    },
    handlers,
    (error) => ({ code: "internal", detail: error instanceof Error ? error.message : String(error) }),
  );
  port1.start();
  port2.start();
  return {
    postMessage: (message, transfer) => port1.postMessage(message, transfer),
    addEventListener: (type, listener) => port1.addEventListener(type, listener),
    terminate() {
      played.terminated = true;
      port1.close();
    },
    onCrash: (listener) => void crashed.push(listener),
  };
}

/** A promise and its ends, for steps that a test decides. */
export function gate(): { opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}
