/**
 * The page's side of a donor: starts the loop worker after a click, passes on what the visitor and the page say, and holds the
 * last view for the page to draw. Nothing is loaded and no worker exists before `start`.
 */
import type { SignedIdentity } from "#lib/protocol/volunteer-identity.ts";
import type { DonorSettings, DonorView, LoggedMicrotask, LoopToPage, PageToLoop, StartOptions } from "../messages.ts";
import { IDLE_VIEW } from "./idle-view.ts";
import { keepCapability, keepSettings, keptCapability, keptSettings } from "./keeping.ts";
import { type SignalWatch, watchSignals } from "./signals.ts";
import { createWakeLock } from "./wake-lock.ts";

export type { DonorSettings, DonorView, FinishedMicrotask, HeldMicrotask } from "../messages.ts";
export { IDLE_VIEW };

export interface Donor {
  /** Call only from a person's click. */
  start(): void;
  pause(): void;
  resume(): void;
  /** Stops once the microtask that computes now is sent and accepted. */
  finish(): void;
  stop(): void;
  settings(): DonorSettings;
  change(settings: Partial<DonorSettings>): void;
  /** The last view; a new object whenever something changed. */
  view(): DonorView;
  /** The microtasks that were accepted since this page was opened, latest first; a new list whenever it grew. */
  log(): readonly LogEntry[];
  /** For React's useSyncExternalStore. */
  subscribe(listener: () => void): () => void;
}

export type LogEntry = LoggedMicrotask & { readonly atMs: number };

export interface DonorOptions {
  origin: string;
  siteKey?: string;
  /** From the embed's document: in a page of which origin it is. */
  siteTicket?: string;
  groupToken?: string;
  /** Asked at each start: the volunteer behind this donor, or null. */
  identity?: () => Promise<SignedIdentity | null>;
  /** What is not the visitor's to change here; not kept between visits. */
  fixedSettings?: Partial<DonorSettings>;
  /** Most that either share may be here, whatever the visitor wants: an embedding page's limit. */
  maxShare?: number;
  /** The donor counts as visible while this is in view too; the page alone where left out. */
  element?: Element;
  /** For tests: something else than the bundled worker. */
  spawnLoop?: () => Worker;
}

/** Receipts are a few hundred bytes each. */
const LOG_KEPT = 1_000;
/** The loop gives leases back and ends well below this; a loop that is stuck is ended. */
const STOP_MS = 800;

export function createDonor(options: DonorOptions): Donor {
  const { origin, fixedSettings = {}, maxShare = 1, element, spawnLoop = spawnBundled, identity, ...origins } = options;
  const listeners = new Set<() => void>();
  /** What the visitor wants, and what of it holds here. */
  let wanted: DonorSettings = keptSettings();
  let settings = withinLimits();
  let view = IDLE_VIEW;
  const wakeLock = createWakeLock(window);
  let log: readonly LogEntry[] = [];
  let running: { worker: Worker; watch: SignalWatch; leave: AbortController } | null = null;

  function withinLimits(): DonorSettings {
    const within = { ...wanted, ...fixedSettings };
    return {
      ...within,
      cpuShare: Math.min(within.cpuShare, maxShare),
      gpuShare: Math.min(within.gpuShare, maxShare),
    };
  }

  function show(next: DonorView): void {
    view = next;
    wakeLock.want(settings.keepAwake && (view.phase === "running" || view.phase === "finishing"));
    for (const listener of listeners) listener();
  }

  /** A volunteer whose key fails donates without a name rather than not at all. */
  async function signed(): Promise<SignedIdentity | null> {
    return (await identity?.().catch(() => null)) ?? null;
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
      case "logged":
        log = [{ ...message.entry, atMs: Date.now() }, ...log].slice(0, LOG_KEPT);
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
      const watch = watchSignals(window, (signals) => say({ kind: "signals", signals }), element);
      running = { worker, watch, leave: watchLeaving(window, say) };
      const start: StartOptions = {
        origin,
        settings,
        signals: watch.current(),
        capability: keptCapability(Date.now()),
        ...origins,
      };
      show({ ...IDLE_VIEW, phase: "starting" });
      void signed().then((volunteer) => {
        if (running?.worker === worker)
          say({ kind: "start", options: { ...start, ...(volunteer && { identity: volunteer }) } });
      });
    },
    pause: () => say({ kind: "pause" }),
    resume: () => say({ kind: "resume" }),
    finish: () => say({ kind: "finish" }),
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
      wanted = { ...wanted, ...next };
      keepSettings(wanted);
      settings = withinLimits();
      if (settings.onlyWhenIdle) running?.watch.lookForPerson();
      say({ kind: "settings", settings });
      // A new object: what is drawn shows settings too.
      show({ ...view });
    },
    view: () => view,
    log: () => log,
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
