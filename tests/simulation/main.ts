/**
 * `npm run simulate`: every scenario with every policy, 20 seeds each; prints the tables and writes docs/simulation.md and
 * docs/simulation.svg. `-- --seeds 5` is quicker and writes nothing.
 */
import { writeFileSync } from "node:fs";
import { dotPlot, type PlotRow } from "./plot.ts";
import { HELD_OUT, median, type PolicyName, runSeeds, type Summary, summarize } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { deadline } from "./scenarios/deadline.ts";
import { fairness, weights } from "./scenarios/fairness.ts";
import { SCENARIOS } from "./scenarios/index.ts";

const POLICIES: readonly PolicyName[] = ["flux", "sized", "fifo", "random"];
const FULL_SEEDS = 20;
const seedsArgument = process.argv.indexOf("--seeds");
const seeds = seedsArgument > 0 ? Number(process.argv[seedsArgument + 1]) : FULL_SEEDS;

const plotRows: PlotRow[] = [];
const lines = table(1);
console.log("\nHeld-out seeds");
const heldOut = table(HELD_OUT);

const sharing = sharingLines();
for (const text of sharing) console.log(text);

if (seeds === FULL_SEEDS) {
  writeFileSync("docs/simulation.svg", dotPlot(plotRows, "Makespan ÷ lower bound: median and range of 20 seeds"));
  writeFileSync("docs/simulation.md", page());
  console.log("written: docs/simulation.md, docs/simulation.svg");
}

/** Every scenario with every policy; the tuned seeds also make the plot. */
function table(first: number): string[] {
  const rows = [
    "| scenario | policy | makespan, median s | ÷ lower bound, median | worst | wasted donor-s, mean (worst) | bundles ≤ 3 s | in the 80 % interval | than sized |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|",
  ];
  for (const scenario of SCENARIOS) {
    const all = POLICIES.map((policy) => ({ policy, outcomes: runSeeds(scenario, policy, seeds, first) }));
    const sized = median(
      all.find(({ policy }) => policy === "sized")?.outcomes.map(({ makespanMs }) => makespanMs) ?? [],
    );
    for (const { policy, outcomes } of all) {
      rows.push(line(scenario, summarize(policy, outcomes), sized));
      console.log(rows.at(-1));
      if (first !== 1) continue;
      const ratios = outcomes.map(({ ratio }) => ratio);
      const [min, max] = [Math.min(...ratios), Math.max(...ratios)];
      plotRows.push({ scenario: scenario.name, policy, min, median: median(ratios), max });
    }
  }
  return rows;
}

/** @param sizedMs median makespan of the strongest baseline */
function line({ name, bound }: Scenario, summary: Summary, sizedMs: number): string {
  const { policy, medianMakespanMs, medianRatio, worstRatio, meanWasted, worstWasted, bundlesInTime, within80 } =
    summary;
  const wanted = policy === "flux" ? ` (≤ ${bound.toFixed(2)})` : "";
  const sooner = policy === "sized" ? "–" : `${((100 * medianMakespanMs) / sizedMs - 100).toFixed(1)} %`;
  return `| ${name} | ${policy} | ${(medianMakespanMs / 1000).toFixed(1)} | ${medianRatio.toFixed(3)} | ${worstRatio.toFixed(3)}${wanted} | ${percent(meanWasted)} (${percent(worstWasted)}) | ${percent(bundlesInTime)} | ${percent(within80)} | ${sooner} |`;
}

function sharingLines(): string[] {
  const shares = (scenario: Scenario) => {
    const own = runSeeds(scenario, "flux", seeds).map(({ sharesWhileContended }) => sharesWhileContended.a ?? 0);
    return `${percent(Math.min(...own))} to ${percent(Math.max(...own))}`;
  };
  const dated = runSeeds(deadline, "flux", seeds).map(({ jobs }) => jobs[2]);
  const met = dated.filter((job) => job?.inTime).length;
  const latest = Math.max(...dated.map((job) => job?.finishedAtMs ?? 0)) / 1000;
  const { startAtMs = 0, deadlineMs = 0 } = deadline.jobs[2] ?? {};
  return [
    `* ${fairness.title}: the first submitter gets ${shares(fairness)} of donor-seconds while both have work.`,
    `* ${weights.title}: the first submitter gets ${shares(weights)}.`,
    `* ${deadline.title}: met with ${met} of ${seeds} seeds; the latest was done at ${latest.toFixed(1)} s, due at ${((startAtMs + deadlineMs) / 1000).toFixed(0)} s.`,
  ];
}

function page(): string {
  return `<!-- Written by \`npm run simulate\`. -->
# The scheduler, simulated

The simulator (\`tests/simulation\`) drives the very board, cost model and policy of the live dispatcher with a virtual clock: seeded
fleets of devices that fetch, compute, send, hide their tab, stall, lie and leave. The scenarios are files in
\`tests/simulation/scenarios\`.

![Makespan divided by the lower bound for each scenario and policy](simulation.svg)

* **Lower bound**: what the honest donors could do with perfect knowledge, fetching and computing overlapped, no round
  trips, no overhead and no artefacts, integrated over the same seeded schedule of sessions and hidden times; with region rules, the
  largest over all sets of jobs.
* **fifo** and **random** take the planner's microtasks (payloads up to 4 MiB) whole, one in work and one fetched ahead. With one job they
  are the same. **sized** is first in, first out with bundles cut to three seconds by the cost model: what is left over it is the
  policy's own (tail, races, scarcity, leases cut to the session length).
* **Wasted** donor-seconds: computing that no accepted result came from (lost races, departures, refused results).

* **In the 80 % interval**: outcomes inside the interval that was promised when the microtask was leased.

${lines.join("\n")}

## Held-out seeds

The policy was tuned on the seeds above. These ${seeds} (${HELD_OUT} to ${HELD_OUT + seeds - 1}) were not looked at while tuning.

${heldOut.join("\n")}

## Sharing

${sharing.join("\n")}
`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
