/** What a simulation is about: a fleet, jobs, and for how long to expect it. Scenarios are files in scenarios/. */
import type { RegionRule } from "#lib/scheduling/types.ts";

/** Log-normal: the median, and the standard deviation of log10. Speeds over two decades: 0.5 (95 % within ±1). */
export interface Spread {
  readonly median: number;
  readonly decades: number;
}

/** Log-uniform between two bounds. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export interface FleetSpec {
  readonly donors: number;
  /** Mean multiply-adds a second of the visible device. */
  readonly macsPerSecond: Spread;
  readonly downMbitPerSecond: Range;
  /** Up ÷ down. */
  readonly upShare: number;
  readonly rttMs: Range;
  /** Standard deviation of ln(time) from one microtask to the next. */
  readonly scatter: number;
  /** Standard deviation of a slow wander of ln(time), correlated 0.95 from one microtask to the next: other programs. 0 where left out. */
  readonly drift?: number;
  /** Share of microtasks that take five times as long (garbage collection, another tab, a busy core). */
  readonly stalls: number;
  /** Standard deviation of ln(benchmark ÷ truth). */
  readonly benchmarkError: number;
  /** Null: everybody stays. Otherwise exponential sessions and gaps; who comes back is a newcomer with an empty cache. */
  readonly sessions: { readonly meanMs: number; readonly gapMs: number } | null;
  /** Share of departures that the coordinator learns of only ten seconds later. */
  readonly silentDepartures: number;
  /** Null: tabs stay visible. Otherwise a share of time at one tenth of the speed. */
  readonly hidden: { readonly share: number; readonly meanMs: number } | null;
  /** Share of donors that answer garbage; audits find it, two refusals and they are banned. */
  readonly liars: number;
  /** Country → weight. */
  readonly countries: Readonly<Record<string, number>>;
}

export interface JobSpec {
  readonly name: string;
  readonly submitter: string;
  readonly weight?: number;
  readonly priority?: number;
  readonly units: number;
  readonly regions?: RegionRule;
  readonly startAtMs?: number;
  /** After its start. */
  readonly deadlineMs?: number;
}

/** One unit of every job of the scenario. */
export interface UnitSpec {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly macs: number;
  readonly artefactBytes: number;
  /** What the planner cuts: payloads of at most 4 MiB. */
  readonly perMicrotask: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly fleet: FleetSpec;
  readonly unit: UnitSpec;
  readonly jobs: readonly JobSpec[];
  /** Makespan ÷ lower bound that the policy has to keep. */
  readonly bound: number;
  /** True where it also has to beat random and first-in-first-out by a quarter. */
  readonly quarterBetter: boolean;
}

/** A lane of the digits network (784 features, N=8192): seeded payload, three polynomials squared to five, int8. */
export const LANES: UnitSpec = {
  bytesIn: 3_140,
  bytesOut: 200,
  macs: 4.8e6,
  artefactBytes: 400_000,
  perMicrotask: 1_300,
};
