/**
 * The short list: the stages worth scoring for a donor. With thousands of open stages, scoring them all would cost a
 * millisecond a choice; the score's bounded terms cannot lift a stage over submitters that are far behind, so that only
 * these are looked at: the oldest stages of highest priority of the submitters that used least, what the donor has an
 * artefact of, and what has a deadline.
 */
import { refusal } from "./filters.ts";
import type { Forecaster } from "./forecast.ts";
import type { Candidate } from "./score.ts";
import type { ChooseRequest, StageView } from "./types.ts";

export interface Width {
  /** Submitters with something for this donor. */
  readonly submitters: number;
  /** Stages of one submitter. */
  readonly stagesEach: number;
}

export const NARROW: Width = { submitters: 4, stagesEach: 4 };
/** Where the narrow list came to nothing: all that it holds is nearly done, and others have work. */
export const WIDE: Width = { submitters: 32, stagesEach: 32 };
const DATED = 16;
const CACHED = 8;

export function shortList(request: ChooseRequest, forecaster: Forecaster, width: Width): Candidate[] {
  const { board, costModel, donor, nowMs } = request;
  const stages = new Set<StageView>();
  let submitters = 0;
  for (const { waiting } of board.waitingByUsage()) {
    if (addBest(stages, waiting, request, width.stagesEach)) submitters++;
    if (submitters >= width.submitters) break;
  }
  let dated = 0;
  for (const stage of board.datedStages) {
    if (dated >= DATED) break;
    if (stage.pendingCount === 0 || refusal(donor, stage) !== null) continue;
    stages.add(stage);
    dated++;
  }
  let cached = 0;
  for (const digest of donor.cached) {
    if (cached >= CACHED) break;
    for (const stage of board.stagesUsing(digest) ?? []) {
      if (cached >= CACHED) break;
      if (stage.pendingCount === 0 || refusal(donor, stage) !== null) continue;
      stages.add(stage);
      cached++;
    }
  }
  const candidates: Candidate[] = [];
  for (const stage of stages) {
    const pace = costModel.pace(donor, stage.definition);
    if (pace) candidates.push({ stage, pace, forecast: forecaster.of(stage, board, costModel, nowMs) });
  }
  return candidates;
}

/** The first stages of the highest priority that this donor may have. False: none. */
function addBest(
  stages: Set<StageView>,
  waiting: readonly StageView[],
  { donor }: ChooseRequest,
  most: number,
): boolean {
  let top = Number.NEGATIVE_INFINITY;
  for (const stage of waiting) {
    const { priority } = stage.definition;
    if (priority > top && refusal(donor, stage) === null) top = priority;
  }
  if (top === Number.NEGATIVE_INFINITY) return false;
  let added = 0;
  for (const stage of waiting) {
    if (added >= most) break;
    if (stage.definition.priority !== top || refusal(donor, stage) !== null) continue;
    stages.add(stage);
    added++;
  }
  return true;
}
