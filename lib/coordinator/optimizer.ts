/**
 * The background pass over what donors showed (lib/scheduling/optimizer.ts), twice a minute, and its log in words that
 * anybody may read: what was changed, and what that gained.
 */
import { type LogEntry, reestimatePriors } from "#lib/scheduling/optimizer.ts";
import type { CostModel } from "#lib/scheduling/types.ts";
import type { Log } from "./log.ts";

const EVERY_MS = 30_000;
/** A day or more of changes that are worth telling. */
const ENTRIES_KEPT = 500;

export interface Optimizer {
  /** Newest first. */
  entries(): readonly LogEntry[];
  run(): void;
  stop(): void;
}

export function startOptimizer(options: { costModel: CostModel; log: Log; now: () => number }): Optimizer {
  const { costModel, log, now } = options;
  const entries: LogEntry[] = [];
  const run = () => {
    for (const entry of reestimatePriors(costModel, now())) {
      entries.unshift(entry);
      log.info({ about: entry.about }, entry.words);
    }
    entries.length = Math.min(entries.length, ENTRIES_KEPT);
  };
  const timer = setInterval(run, EVERY_MS);
  timer.unref();
  return { entries: () => entries, run, stop: () => clearInterval(timer) };
}
