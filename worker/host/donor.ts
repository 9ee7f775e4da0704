/**
 * The page's side of a donor: starts the loop worker after a click, passes on what the visitor and the page say, and holds the
 * last view for the page to draw. Nothing is loaded and no worker exists before `start`.
 */
import type { DonorSettings, DonorView, LoopToPage, PageToLoop, StartOptions } from "../messages.ts";
import { keepCapability, keepSettings, keptCapability, keptSettings } from "./keeping.ts";
import { type SignalWatch, watchSignals } from "./signals.ts";

export type { DonorSettings, DonorView, FinishedMicrotask, HeldMicrotask } from "../messages.ts";

export interface Donor {
  /** Call only from a person's click. */
  start(): void;
  pause(): void;
  resume(): void;
  stop(): void;
  settings(): DonorSettings;
  change(settings: Partial<DonorSettings>): void;
  /** The last view; a new object whenever something changed. */
  view(): DonorView;
  /** For React's useSyncExternalStore. */
  subscribe(listener: () => void): () => void;
}

export interface DonorOptions {
  origin: string;
  siteKey?: string;
  groupToken?: string;
  displayName?: string;
  /** What an embedding page fixed, e.g. its limit of power; not kept between visits. */
  fixedSettings?: Partial<DonorSettings>;
  /** For tests: something else than the bundled worker. */
  spawnLoop?: () => Worker;
}

/** The loop gives leases back and ends well below this; a loop that is stuck is ended. */
const STOP_MS = 800;

export const IDLE_VIEW: DonorView = {
  phase: "idle",
  link: "none",
  pausedBecause: null,
  startingWith: null,
  job: null,
  kernel: null,
  runtime: null,
  working: false,
  waitingBecause: null,
  held: [],
  finished: [],
  totals: {
    microtasksAccepted: 0,
    unitsAccepted: 0,
    microtasksRefused: 0,
    leasesReturned: 0,
    bytesDown: 0,
    bytesUp: 0,
    computeMs: 0,
  },
  unitsPerSecond: 0,
  busyShare: 0,
  cpuShare: 1,
  gpuShare: 1,
  country: null,
  donorsOnline: null,
  jobsRunning: null,
  capability: null,
  problem: null,
};

export function createDonor(options: DonorOptions): Donor {
  const { origin, fixedSettings = {}, spawnLoop = spawnBundled, ...identity } = options;
  const listeners = new Set<() => void>();
  let settings: DonorSettings = { ...keptSettings(), ...fixedSettings };
  let view = IDLE_VIEW;
  let running: { worker: Worker; watch: SignalWatch; leave: AbortController } | null = null;

  function show(next: DonorView): void {
    view = next;
    for (const listener of listeners) listener();
  }

  function say(message: PageToLoop): void {
    running?.worker.postMessage(message);
  }

  function end(): void {
    if (!running) return;
    running.watch.stop();
    running.leave.abort();
    running.worker.terminate();
    running = null;
    show({ ...view, phase: "idle", link: "none", held: [], working: false, unitsPerSecond: 0, busyShare: 0 });
  }

  function hear(message: LoopToPage): void {
    switch (message.kind) {
      case "view":
        show(message.view);
        break;
      case "capability":
        keepCapability(message.capability);
        break;
      case "stopped":
        end();
        break;
    }
  }

  return {
    start() {
      if (running) return;
      const worker = spawnLoop();
      worker.addEventListener("message", (event: MessageEvent<LoopToPage>) => hear(event.data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        end();
        const detail = "The donor's worker could not run. Reload this page to try again.";
        show({ ...view, problem: { code: "internal", detail } });
      });
      const watch = watchSignals(window, (signals) => say({ kind: "signals", signals }));
      running = { worker, watch, leave: watchLeaving(window, say) };
      const start: StartOptions = {
        origin,
        settings,
        signals: watch.current(),
        capability: keptCapability(Date.now()),
        ...identity,
      };
      show({ ...IDLE_VIEW, phase: "starting" });
      say({ kind: "start", options: start });
    },
    pause: () => say({ kind: "pause" }),
    resume: () => say({ kind: "resume" }),
    stop() {
      if (!running) return;
      const { worker } = running;
      say({ kind: "stop" });
      setTimeout(() => {
        if (running?.worker === worker) end();
      }, STOP_MS);
    },
    settings: () => settings,
    change(next) {
      settings = { ...settings, ...next, ...fixedSettings };
      keepSettings(settings);
      say({ kind: "settings", settings });
      for (const listener of listeners) listener();
    },
    view: () => view,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Leases go back when the page is closed or frozen: it may not get another chance to say so. */
function watchLeaving(window: Window, say: (message: PageToLoop) => void): AbortController {
  const controller = new AbortController();
  const { signal } = controller;
  window.addEventListener("pagehide", () => say({ kind: "leaving", why: "leaving" }), { signal });
  window.addEventListener("pageshow", () => say({ kind: "returned" }), { signal });
  window.document.addEventListener("freeze", () => say({ kind: "leaving", why: "frozen" }), { signal });
  window.document.addEventListener("resume", () => say({ kind: "returned" }), { signal });
  return controller;
}

/** Built by `npm run assets`; a plain path, so that the site's bundler leaves it alone. */
function spawnBundled(): Worker {
  const path = "/worker/loop.js";
  return new Worker(path, { type: "module", name: "flux-loop" });
}
