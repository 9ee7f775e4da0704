/**
 * First in, first out: the oldest stage that the donor may have, its oldest microtasks, as many as fit the wanted time.
 * The simplest policy that keeps every promise (filters, memory, ≤ 3 s); the real one (policy.ts) has to beat it.
 */
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import { mayAttempt, refusal, unitsInFrame, unitsInMemory } from "./filters.ts";
import { closestReason, idle } from "./idle.ts";
import { leaseMs } from "./lease-time.ts";
import type { ChooseRequest, Decision, IdleReason, PlannedLease, Policy, StageView } from "./types.ts";

export const fifoPolicy: Policy = {
  name: "fifo",
  choose(request) {
    const { board, donor } = request;
    const reasons: IdleReason[] = [];
    const stages = board.openStages.toSorted((a, b) => a.definition.createdAtMs - b.definition.createdAtMs);
    for (const stage of stages) {
      const refused = refusal(donor, stage);
      if (refused) reasons.push(refused);
      else if (stage.pendingCount === 0) reasons.push("rest-in-work");
      else {
        const bundle = fill(request, stage);
        if (bundle) return bundle;
        reasons.push("rest-in-work");
      }
    }
    return idle(closestReason(reasons));
  },
};

function fill({ nowMs, costModel, donor, wantMs, maxLeases }: ChooseRequest, stage: StageView): Decision | null {
  const budgetMs = Math.min(wantMs, LEASE_LIMITS.microtaskMs);
  const queueMs = Math.max(0, donor.busyUntilMs - nowMs);
  const leases: PlannedLease[] = [];
  let room = unitsInMemory(donor, stage);
  let units = 0;
  for (let i = 0; i < stage.pendingCount && leases.length < maxLeases && room > 0; i++) {
    const microtask = stage.pendingAt(i);
    if (!microtask || !mayAttempt(donor, microtask)) continue;
    const fitting = costModel.unitsWithin(donor, stage.definition, budgetMs, leases.length + 1) - units;
    const inFrame = unitsInFrame(stage.definition);
    const wanted = Math.min(microtask.unitCount, room, inFrame, Math.max(leases.length === 0 ? 1 : 0, fitting));
    if (wanted < 1) break;
    const predicted = costModel.predict(donor, stage.definition, wanted, 1);
    const before = costModel.predict(donor, stage.definition, units + wanted, leases.length + 1);
    if (!predicted || !before) return null;
    units += wanted;
    room -= wanted;
    leases.push({
      stage,
      microtask,
      units: wanted,
      predicted,
      leaseMs: leaseMs(queueMs + before.p99),
      stepMs: predicted.p50,
      expectedInMs: queueMs + before.p50,
      lateInMs: queueMs + before.p90,
      reissueOf: null,
    });
    if (wanted < microtask.unitCount) break;
  }
  const predicted = leases.length > 0 ? costModel.predict(donor, stage.definition, units, leases.length) : null;
  if (!predicted) return null;
  const terms = { fairness: 0, priority: 0, deadline: 0, affinity: 0, region: 0, age: 0, scarcity: 0, reliability: 0 };
  return { kind: "bundle", leases, predicted, terms };
}
