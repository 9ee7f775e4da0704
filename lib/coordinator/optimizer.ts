/**
 * The background pass over what donors showed (lib/scheduling/optimizer.ts), twice a minute: it changes what the cost model
 * believes of a newcomer, how large microtasks are cut and how much is audited, and says in a log that anybody may read what
 * it changed and what that gained. What it learnt, what it set and its log outlive a restart.
 */
import { z } from "zod";
import { USUAL_LANE_SHARE } from "#lib/integrity/lane-audit.ts";
import { USUAL_UNIT_SHARE } from "#lib/integrity/sampling.ts";
import {
  auditRate,
  kindOf,
  type LogEntry,
  microtaskSize,
  reestimatePriors,
  sizeStatistics,
} from "#lib/scheduling/optimizer.ts";
import type { CostModel } from "#lib/scheduling/types.ts";
import type { StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import type { DispatchEvents, Emitter } from "./dispatch/events.ts";
import type { Log } from "./log.ts";

export interface Optimizer {
  /** Newest first. */
  entries(): readonly LogEntry[];
  /** For new stages. */
  unitsPerMicrotask(stage: StageRecord): number;
  /** Of a known donor's results. */
  auditedShare(of: Audited): number;
  /** What it learns audits from. */
  watch(events: Emitter<DispatchEvents>): void;
  /** Something else that was learnt and is worth telling. */
  tell(entry: LogEntry): void;
  /** One pass; resolves when it is stored. */
  run(): Promise<void>;
  stop(): Promise<void>;
}

export type Audited = "lanes" | "records";

const EVERY_MS = 30_000;
/** A day or more of changes that are worth telling. */
const ENTRIES_KEPT = 500;
const COST_MODEL = "cost-model";
const STATE = "optimizer";
/** Newest microtasks that sizes are thought out from. */
const TIMED = 2_000;
const OBSERVATIONS_KEPT_MS = 30 * 24 * 3_600_000;
/** Passes between two thinnings of the observations. */
const THIN_EVERY = 120;
/** Counts are halved here, so that audits follow the times. */
const RESULTS_REMEMBERED = 20_000;
/** A lie that matters changes at least one unit of twenty; who changes fewer is found by what he does for long. */
const FALSE_SHARE = 0.05;

/** A wrong lane that slips through turns its batch to noise and is found then; a wrong record is not. */
const AUDITS = {
  lanes: { of: "encrypted lanes", usualShare: USUAL_LANE_SHARE, wrongAccepted: 1e-3 },
  records: { of: "public records", usualShare: USUAL_UNIT_SHARE, wrongAccepted: 1e-4 },
} as const;

const Counts = z.object({
  share: z.number(),
  results: z.number(),
  refused: z.number(),
  units: z.number(),
  checkedUnits: z.number(),
  checkCpuMs: z.number(),
  computeMs: z.number(),
});
type Counts = z.infer<typeof Counts>;

const State = z.object({
  version: z.literal(1),
  log: z.array(
    z.object({
      atMs: z.number(),
      about: z.enum(["class-prior", "microtask-size", "audit-rate", "plan-cost"]),
      words: z.string(),
    }),
  ),
  sizes: z.record(z.string(), z.number()),
  audits: z.object({ lanes: Counts, records: Counts }),
});

export interface OptimizerOptions {
  readonly costModel: CostModel;
  readonly store: Pick<Store, "settings" | "observations">;
  readonly log: Log;
  readonly now: () => number;
}

/** Takes up what an earlier run learnt; what cannot be read is learnt anew. */
export async function openOptimizer({ costModel, store, log, now }: OptimizerOptions): Promise<Optimizer> {
  const { settings, observations } = store;
  const before = State.safeParse(await settings.get(STATE)).data;
  let entries: LogEntry[] = before?.log ?? [];
  const sizes = new Map(Object.entries(before?.sizes ?? {}));
  const audits = before?.audits ?? { lanes: newCounts("lanes"), records: newCounts("records") };
  const learnt = await settings.get(COST_MODEL);
  if (learnt !== undefined) {
    try {
      costModel.restore(learnt);
    } catch (error) {
      log.warn({ err: error }, "what was learnt about donors cannot be read: it is learnt anew");
    }
  }
  let passes = 0;
  let running: Promise<void> = Promise.resolve();

  function tell(entry: LogEntry): void {
    entries = [entry, ...entries].slice(0, ENTRIES_KEPT);
    log.info({ about: entry.about }, entry.words);
  }

  async function pass(): Promise<void> {
    reestimatePriors(costModel, now()).forEach(tell);
    for (const statistics of sizeStatistics(await observations.recent(TIMED), sizes)) {
      const { unitsPerMicrotask, log: said } = microtaskSize(statistics, costModel.meanSessionMs(now()), now());
      sizes.set(statistics.kind, unitsPerMicrotask);
      said.forEach(tell);
    }
    for (const what of ["lanes", "records"] as const) {
      const { auditedShare, log: said } = auditRate(statisticsOf(what, audits[what]), now());
      audits[what].share = auditedShare;
      said.forEach(tell);
    }
    if (passes++ % THIN_EVERY === 0) await observations.removeOlderThan(now() - OBSERVATIONS_KEPT_MS);
    await settings.set(COST_MODEL, costModel.snapshot());
    const state: z.input<typeof State> = { version: 1, log: entries, sizes: Object.fromEntries(sizes), audits };
    await settings.set(STATE, state);
  }

  function run(): Promise<void> {
    running = running.then(pass).catch((error: unknown) => log.error({ err: error }, "the optimizer's pass failed"));
    return running;
  }

  const timer = setInterval(() => void run(), EVERY_MS);
  timer.unref();
  return {
    entries: () => entries,
    unitsPerMicrotask: ({ kernel, unitBytesIn }) => sizes.get(kindOf(kernel, unitBytesIn)) ?? Number.MAX_SAFE_INTEGER,
    auditedShare: (what) => audits[what].share,
    watch(events) {
      events.on("result:accepted", ({ kernel, units, checkedUnits, checkCpuMs, computeMs }) => {
        const counts = audits[auditedAs(kernel)];
        counts.results++;
        counts.units += units;
        counts.checkedUnits += checkedUnits;
        counts.checkCpuMs += checkCpuMs;
        counts.computeMs += computeMs;
        if (counts.results > RESULTS_REMEMBERED) halve(counts);
      });
      events.on("result:refused", ({ kernel, code }) => {
        if (kernel !== null && code === "audit_failed") audits[auditedAs(kernel)].refused++;
      });
    },
    tell,
    run,
    async stop() {
      clearInterval(timer);
      await run();
    },
  };
}

const auditedAs = (kernel: string): Audited => (kernel === "lanes" ? "lanes" : "records");

function newCounts(of: Audited): Counts {
  const share = AUDITS[of].usualShare;
  return { share, results: 0, refused: 0, units: 0, checkedUnits: 0, checkCpuMs: 0, computeMs: 0 };
}

function halve(counts: Counts): void {
  for (const key of ["results", "refused", "units", "checkedUnits", "checkCpuMs", "computeMs"] as const)
    counts[key] /= 2;
}

function statisticsOf(of: Audited, counts: Counts) {
  const unitsPerResult = counts.units / Math.max(1, counts.results);
  const checkCpuMs = counts.checkCpuMs / Math.max(1, counts.checkedUnits);
  const computeMs = counts.computeMs / Math.max(1, counts.units);
  return {
    ...AUDITS[of],
    auditedShare: counts.share,
    results: Math.round(counts.results),
    refused: Math.round(counts.refused),
    unitsPerResult,
    falseUnitsPerLie: Math.max(1, FALSE_SHARE * unitsPerResult),
    relativeCost: checkCpuMs / Math.max(1e-9, computeMs),
  };
}
