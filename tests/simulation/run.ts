/** Many runs of one scenario, summed up: what the tests assert and the report prints. */
import { fifoPolicy } from "#lib/scheduling/fifo.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import type { Policy } from "#lib/scheduling/types.ts";
import { plainFifoPolicy, randomPolicy } from "./baselines.ts";
import type { Scenario } from "./scenario.ts";
import { type Outcome, simulate } from "./simulator.ts";

/** "sized" is first in, first out with bundles cut by the cost model (lib/scheduling/fifo.ts): all but the policy itself. */
export type PolicyName = "flux" | "fifo" | "random" | "sized";

export function makePolicy(name: PolicyName, seed: number): Policy {
  switch (name) {
    case "flux":
      return createPolicy();
    case "fifo":
      return plainFifoPolicy;
    case "random":
      return randomPolicy(seed);
    case "sized":
      return fifoPolicy;
  }
}

/** Seeds that nobody looked at while the policy was tuned (on 1, 2, …). */
export const HELD_OUT = 1_001;

/** @param first the first of `seeds` seeds */
export function runSeeds(scenario: Scenario, policy: PolicyName, seeds: number, first = 1): Outcome[] {
  return Array.from({ length: seeds }, (_, i) => simulate(scenario, first + i, makePolicy(policy, first + i)));
}

export interface Summary {
  readonly scenario: string;
  readonly policy: PolicyName;
  readonly medianMakespanMs: number;
  readonly medianRatio: number;
  readonly worstRatio: number;
  readonly meanWasted: number;
  readonly worstWasted: number;
  /** Over all bundles of all seeds. */
  readonly bundlesInTime: number;
  readonly within80: number;
  readonly regionsBroken: number;
  readonly choiceMicroseconds: number;
}

export function summarize(policy: PolicyName, outcomes: readonly Outcome[]): Summary {
  const bundles = sum(outcomes.map((outcome) => outcome.bundles));
  const observations = sum(outcomes.map(({ calibration }) => calibration.observations));
  return {
    scenario: outcomes[0]?.scenario ?? "",
    policy,
    medianMakespanMs: median(outcomes.map((outcome) => outcome.makespanMs)),
    medianRatio: median(outcomes.map((outcome) => outcome.ratio)),
    worstRatio: Math.max(...outcomes.map((outcome) => outcome.ratio)),
    meanWasted: sum(outcomes.map((outcome) => outcome.wastedShare)) / outcomes.length,
    worstWasted: Math.max(...outcomes.map((outcome) => outcome.wastedShare)),
    bundlesInTime: sum(outcomes.map((outcome) => outcome.bundles * outcome.bundlesInTime)) / bundles,
    within80: sum(outcomes.map(({ calibration }) => calibration.observations * calibration.within80)) / observations,
    regionsBroken: sum(outcomes.map((outcome) => outcome.regionsBroken)),
    choiceMicroseconds: median(outcomes.map((outcome) => outcome.choiceMicroseconds)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return (low + high) / 2;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
