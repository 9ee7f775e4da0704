/**
 * Reasons in words: why a job waits, why a donor is idle, why a donor got what it got. Made from the very filters and
 * forecasts that decide, for the pages, the API and the metrics.
 */
import { refusal } from "./filters.ts";
import { type Forecast, forecastNow, levelMs } from "./forecast.ts";
import { IDLE_WORDS } from "./idle.ts";
import { deadlineUrgency } from "./score.ts";
import type { BoardView, CostModel, DonorView, IdleReason, ScoreTerms, StageView } from "./types.ts";

/** Donors by the first filter that refused them. */
type Refusals = Partial<Record<IdleReason, number>>;

/** Where a stage with work left stands. */
export type Standing =
  | "nothing-left"
  | "no-donor-online"
  | "no-donor-may"
  | "finishing"
  | "running"
  | "behind-its-share"
  | "next-free-donor";

/** Why a stage stands where it stands; one sentence. */
export function explainStage(stage: StageView, board: BoardView, costModel: CostModel, nowMs: number): string {
  return standingOf(stage, board, costModel, nowMs).words;
}

export function standingOf(
  stage: StageView,
  board: BoardView,
  costModel: CostModel,
  nowMs: number,
): { readonly standing: Standing; readonly words: string } {
  const is = (standing: Standing, words: string) => ({ standing, words });
  if (stage.pendingCount === 0 && stage.leasedCount === 0) return is("nothing-left", "nothing is left to compute");
  const online = board.donorList.length;
  if (online === 0) return is("no-donor-online", "waiting: no donor is online");
  const refusals: Refusals = {};
  let eligible = 0;
  for (const donor of board.donorList) {
    const reason = refusal(donor, stage);
    if (reason === null) eligible++;
    else refusals[reason] = (refusals[reason] ?? 0) + 1;
  }
  if (eligible === 0) return is("no-donor-may", `waiting: ${donors(online)} online, ${whyNone(stage, refusals)}`);
  if (stage.pendingCount === 0)
    return is("finishing", `finishing: the last ${count(stage.leasedCount, "microtask")} are being computed`);
  const forecast = forecastNow(stage, board, costModel, nowMs);
  const leftS = levelMs(stage, forecast) / 1000;
  const left = Number.isFinite(leftS) ? `; about ${seconds(leftS)} left if it had them all` : "";
  const note = deadlineNote(stage, forecast, nowMs);
  if (stage.leasedCount > 0) return is("running", `running: ${donors(eligible)} can take its work${left}${note}`);
  const { submitterId } = stage.definition;
  const [least] = board.waitingByUsage();
  const ahead = least ? board.usageMs(submitterId, nowMs) - board.usageMs(least.id, nowMs) : 0;
  if (ahead > 1_000) {
    const lately = `its submitter had ${seconds(ahead / 1000)} more donor time lately than others who wait`;
    return is("behind-its-share", `waiting its turn: ${lately}; ${donors(eligible)} can take it`);
  }
  return is(
    "next-free-donor",
    `waiting for the next free donor: ${donors(eligible)} can take it and are at work${note}`,
  );
}

/** Why a donor has nothing to do, or that it has; one sentence. */
export function explainDonor(donor: DonorView, board: BoardView, nowMs: number): string {
  if (donor.busyUntilMs > nowMs) return "computing";
  if (board.openStages.length === 0) return `idle: ${IDLE_WORDS["no-work"]}`;
  if (!board.openStages.some((stage) => stage.pendingCount > 0)) return `idle: ${IDLE_WORDS["rest-in-work"]}`;
  const { possible, words } = refusalsTo(donor, board);
  return possible > 0 ? `free: ${count(possible, "job")} can use it` : `idle: ${words}`;
}

/** Why the policy had nothing for a donor, as exactly as the board can tell. */
export function explainIdle(reason: IdleReason, donor: DonorView, board: BoardView): string {
  if (!JUDGED_BY_FILTERS.has(reason)) return IDLE_WORDS[reason];
  const { possible, words } = refusalsTo(donor, board);
  return possible > 0 || words === "" ? IDLE_WORDS[reason] : words;
}

const JUDGED_BY_FILTERS: ReadonlySet<IdleReason> = new Set(["region", "group", "no-runtime", "memory", "reliability"]);
/** Enough to tell a donor why; thousands of donors may ask. */
const JOBS_LOOKED_AT = 64;

function refusalsTo(donor: DonorView, board: BoardView): { readonly possible: number; readonly words: string } {
  const waiting = board.openStages.filter((stage) => stage.pendingCount > 0).slice(0, JOBS_LOOKED_AT);
  const refusals: Refusals = {};
  let possible = 0;
  for (const stage of waiting) {
    const reason = refusal(donor, stage);
    if (reason === null) possible++;
    else refusals[reason] = (refusals[reason] ?? 0) + 1;
  }
  const parts = Object.entries(refusals).map(([reason, n]) => `${n} ${JOB_REFUSED[reason as IdleReason]}`);
  const wait = `${count(waiting.length, "job")} wait${waiting.length === 1 ? "s" : ""}`;
  return { possible, words: parts.length === 0 ? "" : `${wait}, of which ${parts.join(", ")}` };
}

/** What tipped the choice, largest first; empty where only the queue's order did. */
export function explainChoice(terms: ScoreTerms): string[] {
  const entries = Object.entries(terms) as [keyof ScoreTerms, number][];
  return entries
    .filter(([, value]) => Math.abs(value) >= 0.05)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([term, value]) => TERM_WORDS[term](value));
}

const JOB_REFUSED: Readonly<Record<IdleReason, string>> = {
  region: "may not leave regions that this donor is not in",
  group: "for private groups that it has not joined",
  "no-runtime": "in need of a runtime that this browser does not have",
  memory: "in need of more memory than it gives",
  "hands-full": "in wait for room in its memory",
  reliability: "asking for a longer record of right results",
  "no-work": "without work",
  "too-slow-for-one-unit": "with pieces too large for this device",
  "rest-in-work": "being finished by others",
  "rest-finishes-sooner-without-you": "about to be finished by others",
};

const TERM_WORDS: Readonly<Record<keyof ScoreTerms, (value: number) => string>> = {
  fairness: (s) =>
    s >= 0 ? "its submitter is furthest behind its share" : `its submitter is ${seconds(-s)} ahead of its share`,
  priority: () => "another job of its submitter has a higher priority",
  deadline: () => "its deadline is near and can be met",
  affinity: (s) => `its program has to be fetched first (${seconds(-s)})`,
  region: () => "this donor is in a region that it prefers",
  age: () => "its submitter has an older job",
  scarcity: () => "few donors may compute it",
  reliability: () => "it is urgent, and this donor's record is short of perfect",
};

/** Names the rule where one filter explains everything, otherwise counts. */
function whyNone(stage: StageView, refusals: Refusals): string {
  const entries = Object.entries(refusals) as [IdleReason, number][];
  const { regions, residentBytes, kernel } = stage.definition;
  const words: Partial<Record<IdleReason, string>> = {
    region: `in ${(regions?.allow ?? []).join(" or ")}`,
    group: "in its private group",
    "no-runtime": `with a runtime for ${kernel === "lanes" ? "encrypted lanes" : kernel}`,
    memory: `with the ${Math.ceil(residentBytes / 2 ** 20)} MiB of memory that it needs`,
    reliability: "with a long enough record of right results",
  };
  const [only] = entries;
  if (entries.length === 1 && only) return `none ${words[only[0]] ?? "that can take it"}`;
  return entries.map(([reason, n]) => `${n} not ${words[reason] ?? "able to take it"}`).join(", ");
}

function deadlineNote(stage: StageView, forecast: Forecast, nowMs: number): string {
  const { deadlineAtMs } = stage.definition;
  if (deadlineAtMs === null) return "";
  const leftS = (deadlineAtMs - nowMs) / 1000;
  if (leftS <= 0) return "; its deadline has passed";
  if (deadlineUrgency(stage, forecast, nowMs) > 0) return "; it goes first because its deadline is near";
  const needS = levelMs(stage, forecast) / 1000;
  return needS > leftS ? `; its deadline in ${seconds(leftS)} cannot be met (it needs about ${seconds(needS)})` : "";
}

const donors = (n: number) => (n === 1 ? "1 donor" : `${n} donors`);
const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;

function seconds(s: number): string {
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}
