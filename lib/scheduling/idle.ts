/** Why a donor gets nothing now, in words, and when it is worth asking again. */
import { refusal } from "./filters.ts";
import type { ChooseRequest, Decision, IdleReason } from "./types.ts";

/** An idle donor asks twice a second: the reasons of some stages are enough to tell it why. */
const STAGES_LOOKED_AT = 64;

/** Why one donor has nothing to do, where nothing more is known. */
export const IDLE_WORDS: Readonly<Record<IdleReason, string>> = {
  "no-work": "no job is waiting for work",
  "no-runtime": "the waiting jobs need a runtime that this browser does not have",
  region: "the waiting jobs may not leave regions that this donor is not in",
  group: "the waiting jobs are for private groups that this donor has not joined",
  memory: "the waiting jobs need more memory than this donor gives",
  reliability: "the waiting jobs ask for donors with a longer record of right results",
  "hands-full": "what this donor holds takes the memory that it gives: there is more as soon as some of it is done",
  "too-slow-for-one-unit": "the waiting jobs' smallest piece would take this device longer than three seconds",
  "rest-in-work": "everything that is left is being computed by other donors",
  "rest-finishes-sooner-without-you": "the little that is left is done sooner by the donors that have it",
};

/** Reasons that pass by themselves come first: they are the most useful to tell. */
const ORDER: readonly IdleReason[] = [
  "hands-full",
  "rest-finishes-sooner-without-you",
  "rest-in-work",
  "too-slow-for-one-unit",
  "memory",
  "reliability",
  "no-runtime",
  "region",
  "group",
  "no-work",
];

/** The reason of the stage that came closest to being served. */
export function closestReason(reasons: readonly IdleReason[]): IdleReason {
  return ORDER.find((reason) => reasons.includes(reason)) ?? "no-work";
}

/** Why the open stages have nothing for this donor: filters, or that nothing of theirs is pending. */
export function refusalsOf({ board, donor }: ChooseRequest): IdleReason[] {
  const reasons: IdleReason[] = [];
  const looked = Math.min(STAGES_LOOKED_AT, board.openStages.length);
  for (let i = 0; i < looked; i++) {
    const stage = board.openStages[i];
    if (stage) reasons.push(refusal(donor, stage) ?? "rest-in-work");
  }
  return reasons;
}

/** @param queueMs what the donor still has to do: near a job's end a late attempt may become worth racing soon after */
export function idle(reason: IdleReason, queueMs = 0): Decision {
  return { kind: "idle", reason, why: IDLE_WORDS[reason], recheckAfterMs: recheckAfterMs(reason, queueMs) };
}

function recheckAfterMs(reason: IdleReason, queueMs: number): number {
  switch (reason) {
    case "hands-full":
    case "rest-in-work":
    case "rest-finishes-sooner-without-you":
    case "too-slow-for-one-unit":
      return queueMs > 0 ? Math.max(100, Math.min(500, queueMs / 2)) : 500;
    case "no-work":
    case "no-runtime":
    case "region":
    case "group":
    case "memory":
    case "reliability":
      return 25_000;
  }
}
