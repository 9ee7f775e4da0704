/**
 * A seeded fleet: devices with true speeds and links, and a schedule of sessions and hidden times that no policy can
 * influence. Times are means: a device's scatter and stalls are scaled so that its mean speed is what it is said to be,
 * which makes the lower bound exact in expectation.
 */

import { type Random, seededRandom } from "./random.ts";
import type { FleetSpec, Range, UnitSpec } from "./scenario.ts";

/** Hidden tabs run at this share of their speed. */
export const HIDDEN_SPEED = 0.1;
/** What a stall multiplies a microtask's time by. */
const STALL_FACTOR = 5;
/** Correlation of the drift from one microtask to the next. */
const DRIFT_MEMORY = 0.95;
/** Standard deviation of ln(time) of one transfer: others share the line. */
const LINK_SCATTER = 0.15;

export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Session extends Interval {
  /** Ascending, disjoint. */
  readonly hidden: readonly Interval[];
}

export class Device {
  readonly macsPerSecond: number;
  readonly downBytesPerMs: number;
  readonly upBytesPerMs: number;
  readonly rttMs: number;
  readonly country: string;
  readonly liar: boolean;
  /** What its benchmark says, as share of the truth. */
  readonly benchmarkFactor: number;
  readonly benchmarkDownFactor: number;
  /** For what happens while it runs. */
  readonly random: Random;
  readonly #fleet: FleetSpec;
  readonly #schedule: Random;
  readonly #links: Random;
  readonly #sessions: Session[] = [];
  #drift = 0;

  constructor(fleet: FleetSpec, seed: number) {
    const random = seededRandom(seed);
    this.#fleet = fleet;
    this.macsPerSecond = fleet.macsPerSecond.median * 10 ** (fleet.macsPerSecond.decades * random.normal());
    this.downBytesPerMs = (logUniform(random, fleet.downMbitPerSecond) * 1e6) / 8 / 1000;
    this.upBytesPerMs = this.downBytesPerMs * fleet.upShare;
    this.rttMs = logUniform(random, fleet.rttMs);
    this.country = weighted(random, fleet.countries);
    this.liar = random.uniform() < fleet.liars;
    this.benchmarkFactor = Math.exp(fleet.benchmarkError * random.normal());
    this.benchmarkDownFactor = Math.exp(fleet.benchmarkError * random.normal());
    this.random = seededRandom(seed ^ 0x5bd1e995);
    this.#schedule = seededRandom(seed ^ 0x27d4eb2f);
    this.#links = seededRandom(seed ^ 0x165667b1);
  }

  /** Its i-th session. The first begins within two seconds of the start, or amid a session where donors come and go. */
  session(i: number): Session {
    const { sessions } = this.#fleet;
    while (this.#sessions.length <= i) {
      const random = this.#schedule;
      const previous = this.#sessions.at(-1);
      let fromMs: number;
      if (!sessions) fromMs = previous ? Number.POSITIVE_INFINITY : 2_000 * random.uniform();
      else if (previous) fromMs = previous.toMs + random.exponential(sessions.gapMs);
      else {
        const online = random.uniform() < sessions.meanMs / (sessions.meanMs + sessions.gapMs);
        fromMs = online ? 0 : random.exponential(sessions.gapMs);
      }
      const toMs = sessions ? fromMs + random.exponential(sessions.meanMs) : Number.POSITIVE_INFINITY;
      this.#sessions.push({ fromMs, toMs, hidden: this.#hiddenTimes(fromMs, toMs) });
    }
    return this.#sessions[i] as Session;
  }

  /** Time of one microtask's computing that begins now, as share of its mean. */
  scatter(): number {
    const { scatter, stalls, drift = 0 } = this.#fleet;
    if (drift > 0) {
      this.#drift = DRIFT_MEMORY * this.#drift + Math.sqrt(1 - DRIFT_MEMORY ** 2) * drift * this.random.normal();
    }
    const spread = scatter * scatter + drift * drift;
    const factor = Math.exp(scatter * this.random.normal() + this.#drift - spread / 2);
    return (factor * (this.random.uniform() < stalls ? STALL_FACTOR : 1)) / (1 + stalls * (STALL_FACTOR - 1));
  }

  /** Time of one transfer, as share of its mean. */
  linkScatter(): number {
    return Math.exp(LINK_SCATTER * this.#links.normal() - (LINK_SCATTER * LINK_SCATTER) / 2);
  }

  /** Sustained units per millisecond when fetching overlaps computing. */
  unitsPerMs(unit: UnitSpec, visible: boolean): number {
    const computeMs = (1000 * unit.macs) / (this.macsPerSecond * (visible ? 1 : HIDDEN_SPEED));
    return 1 / Math.max(computeMs, unit.bytesIn / this.downBytesPerMs, unit.bytesOut / this.upBytesPerMs);
  }

  #hiddenTimes(fromMs: number, toMs: number): Interval[] {
    const { hidden } = this.#fleet;
    if (!hidden || !Number.isFinite(fromMs)) return [];
    const random = this.#schedule;
    const times: Interval[] = [];
    const visibleMs = (hidden.meanMs * (1 - hidden.share)) / hidden.share;
    // Sessions without an end are planned for an hour.
    const endMs = Math.min(toMs, fromMs + 3_600_000);
    for (let at = fromMs + random.exponential(visibleMs); at < endMs; at += random.exponential(visibleMs)) {
      const until = Math.min(endMs, at + random.exponential(hidden.meanMs));
      times.push({ fromMs: at, toMs: until });
      at = until;
    }
    return times;
  }
}

export function makeFleet(fleet: FleetSpec, seed: number): Device[] {
  const random = seededRandom(seed * 7919 + 17);
  return Array.from({ length: fleet.donors }, () => new Device(fleet, random.integer(2 ** 31)));
}

function logUniform(random: Random, { min, max }: Range): number {
  return min * (max / min) ** random.uniform();
}

function weighted(random: Random, weights: Readonly<Record<string, number>>): string {
  const entries = Object.entries(weights);
  let left = random.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return entries[0]?.[0] ?? "DE";
}
