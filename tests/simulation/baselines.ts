/**
 * What the policy is measured against. Both take the planner's microtasks as they are, one at a time, fetch the next while
 * the current one computes, and keep every hard filter; leases live two minutes, so that no slow donor loses one.
 */
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import { mayAttempt, refusal } from "#lib/scheduling/filters.ts";
import { idle } from "#lib/scheduling/idle.ts";
import type { ChooseRequest, Decision, Microtask, Policy, StageView } from "#lib/scheduling/types.ts";
import { seededRandom } from "./random.ts";

export function randomPolicy(seed: number): Policy {
  const random = seededRandom(seed);
  return {
    name: "random",
    choose(request) {
      const stages = open(request);
      const stage = stages[random.integer(stages.length)];
      if (!stage) return idle("rest-in-work");
      for (let tries = 0; tries < 8; tries++) {
        const microtask = stage.pendingAt(random.integer(stage.pendingCount));
        if (microtask && mayAttempt(request.donor, microtask)) return whole(request, stage, microtask);
      }
      return idle("rest-in-work");
    },
  };
}

export const plainFifoPolicy: Policy = {
  name: "fifo",
  choose(request) {
    for (const stage of open(request).sort((a, b) => a.definition.createdAtMs - b.definition.createdAtMs)) {
      for (let i = 0; i < Math.min(16, stage.pendingCount); i++) {
        const microtask = stage.pendingAt(i);
        if (microtask && mayAttempt(request.donor, microtask)) return whole(request, stage, microtask);
      }
    }
    return idle("rest-in-work");
  },
};

function open({ board, donor }: ChooseRequest): StageView[] {
  return board.openStages.filter((stage) => stage.pendingCount > 0 && refusal(donor, stage) === null);
}

function whole({ costModel, donor }: ChooseRequest, stage: StageView, microtask: Microtask): Decision {
  const predicted = costModel.predict(donor, stage.definition, microtask.unitCount, 1);
  if (!predicted) return idle("no-runtime");
  const lease = {
    stage,
    microtask,
    units: microtask.unitCount,
    predicted,
    leaseMs: LEASE_LIMITS.leaseMsMax,
    stepMs: predicted.p50,
    expectedInMs: predicted.p50,
    lateInMs: LEASE_LIMITS.leaseMsMax,
    reissueOf: null,
  };
  const terms = { fairness: 0, priority: 0, deadline: 0, affinity: 0, region: 0, age: 0, scarcity: 0, reliability: 0 };
  return { kind: "bundle", leases: [lease], predicted, terms };
}
