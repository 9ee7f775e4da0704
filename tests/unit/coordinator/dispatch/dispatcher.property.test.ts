/**
 * Random lives of leases: whatever donors, clock and crashes do, every unit ends with exactly one accepted result (or in
 * quarantine), every acknowledged result is in the store, and no fence is given twice.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Granted } from "#lib/coordinator/dispatch/dispatcher.ts";
import type { DonorSession } from "#lib/coordinator/dispatch/donor-session.ts";
import { isIdle } from "#lib/coordinator/dispatch/waiters.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import type { MicrotaskId } from "#lib/protocol/ids.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { Harness, rightResult } from "./harness.ts";

const UNITS = 60;
const PRIMES = 2;

type Step =
  | { readonly do: "request"; readonly donor: number; readonly wantMs: number }
  | {
      readonly do: "submit" | "submitTwice" | "submitWrong" | "submitAsOther";
      readonly lease: number;
      readonly wait: boolean;
    }
  | { readonly do: "return" | "fail"; readonly lease: number }
  | { readonly do: "rejoin"; readonly donor: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "crash" };

const lease = fc.nat(40);
const donor = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("request" as const), donor, wantMs: fc.integer({ min: 20, max: 3_000 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "submit" as const,
        "submit" as const,
        "submitTwice" as const,
        "submitWrong" as const,
        "submitAsOther" as const,
      ),
      lease,
      wait: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("return" as const, "fail" as const), lease }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rejoin" as const), donor }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 10_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
);

class Run {
  readonly harness = new Harness({ policy: createPolicy() });
  donors: DonorSession[] = [];
  readonly granted: { lease: Granted; donor: number }[] = [];
  readonly acknowledged = new Map<MicrotaskId, number>();
  readonly fences = new Map<MicrotaskId, Set<number>>();
  readonly #running = new Set<Promise<void>>();
  readonly unexpected: unknown[] = [];
  #life = 0;

  async start(): Promise<void> {
    await this.harness.open(UNITS, { primes: PRIMES });
    this.donors = Array.from({ length: 5 }, () => this.harness.join());
  }

  async take(which: number, wantMs: number): Promise<number> {
    const answer = await this.harness.request(this.donors[which]!, wantMs);
    if (isIdle(answer)) return 0;
    for (const granted of answer.leases) {
      this.granted.push({ lease: granted, donor: which });
      const { id } = granted.attempt.microtask;
      const used = this.fences.get(id) ?? new Set();
      this.fences.set(id, used);
      expect(used.has(granted.attempt.fence)).toBe(false);
      expect(Math.max(0, ...used)).toBeLessThan(granted.attempt.fence);
      used.add(granted.attempt.fence);
    }
    return answer.leases.length;
  }

  async submit(index: number, by: number, wrong: boolean): Promise<void> {
    const { lease } = this.granted[index]!;
    const { microtask } = lease.attempt;
    const result = rightResult(microtask);
    if (wrong) result[0]! ^= 1;
    const { unitCount } = microtask;
    const life = this.#life;
    try {
      const units = await this.harness.submit(this.donors[by]!, lease.attempt, result);
      expect(units).toBe(unitCount);
      // A wrong one may be answered like the right one that is being checked; what is stored is verified at the end.
      // An answer of a coordinator that is dead by now never reached anybody.
      if (life === this.#life) this.acknowledged.set(microtask.id, unitCount);
    } catch (error) {
      if (!isFluxError(error)) this.unexpected.push(error);
    }
  }

  async perform(next: Step): Promise<void> {
    switch (next.do) {
      case "request":
        await this.take(next.donor, next.wantMs);
        return;
      case "submit":
      case "submitTwice":
      case "submitWrong":
      case "submitAsOther": {
        if (this.granted.length === 0) return;
        const index = next.lease % this.granted.length;
        const owner = this.granted[index]!.donor;
        const by = next.do === "submitAsOther" ? (owner + 1) % this.donors.length : owner;
        for (let i = 0; i < (next.do === "submitTwice" ? 2 : 1); i++) {
          const running = this.submit(index, by, next.do === "submitWrong").catch((error: unknown) => {
            this.unexpected.push(error);
          });
          this.#running.add(running);
        }
        if (next.wait) await this.quiet();
        return;
      }
      case "return":
      case "fail": {
        if (this.granted.length === 0) return;
        const { lease, donor: owner } = this.granted[next.lease % this.granted.length]!;
        const reason = next.do === "fail" ? "failed" : "paused";
        this.harness.dispatcher.returned(this.donors[owner]!, { leases: [lease.attempt], reason });
        return;
      }
      case "rejoin":
        this.harness.dispatcher.leave(this.donors[next.donor]!);
        this.donors[next.donor] = this.harness.join(this.donors[next.donor]!.id);
        return;
      case "advance":
        await this.harness.clock.advance(next.ms);
        return;
      case "crash":
        this.#life++;
        await this.harness.crash();
        await this.quiet();
        this.donors = this.donors.map(({ id }) => this.harness.join(id));
        return;
    }
  }

  async quiet(): Promise<void> {
    await Promise.all(this.#running);
    this.#running.clear();
  }

  /** New honest donors finish what is left. */
  async finish(): Promise<void> {
    await this.quiet();
    for (let round = 0; this.harness.dispatcher.progress(this.harness.stage.jobId); round++) {
      if (round > 300) throw new Error("the stage does not complete");
      this.donors = [this.harness.join()];
      const before = this.granted.length;
      await this.take(0, 3_000);
      for (let index = before; index < this.granted.length; index++) await this.submit(index, 0, false);
      if (this.granted.length === before) await this.harness.clock.advance(10_000);
    }
  }

  async verify(): Promise<void> {
    const { store, stage } = this.harness;
    expect(this.unexpected).toEqual([]);
    const results = await store.work.results(stage.id);
    const quarantined = await store.work.quarantined(stage.id);
    const covered = [...results, ...quarantined].flatMap(({ prime, unitStart, unitCount }) =>
      Array.from({ length: unitCount }, (_, i) => prime * UNITS + unitStart + i),
    );
    expect(covered.sort((a, b) => a - b)).toEqual(Array.from({ length: UNITS * PRIMES }, (_, i) => i));
    for (const { body, ...range } of results) {
      expect(body.kind === "inline" && Buffer.from(rightResult(range)).equals(body.data)).toBe(true);
    }
    const stored = new Map(results.map(({ microtaskId, unitCount }) => [microtaskId, unitCount]));
    for (const [id, units] of this.acknowledged) expect([id, stored.get(id)]).toEqual([id, units]);
    expect((await store.stages.get(stage.id)).state).toBe("completed");
    expect(this.harness.dispatcher.leasesHeld).toBe(0);
  }
}

const RUNS = Number(process.env.FLUX_PROPERTY_RUNS ?? 60);

describe("random lives of leases", () => {
  it("end with exactly one accepted result per unit and nothing acknowledged lost", {
    timeout: RUNS * 1_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const run = new Run();
        try {
          await run.start();
          for (const next of steps) {
            if (!run.harness.dispatcher.progress(run.harness.stage.jobId)) break;
            await run.perform(next);
          }
          await run.finish();
          await run.verify();
        } finally {
          await run.quiet();
          await run.harness.dispose();
        }
      }),
      { numRuns: RUNS, endOnFailure: false },
    );
  });
});
