/** How the scheduler stands with its donors and jobs, for the API, the docs and the metrics. */
import type { FleetReport } from "#lib/protocol/api/fleet.ts";
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import type { CostModel, Coverage } from "#lib/scheduling/types.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";

export type FleetReporter = () => FleetReport;

/** Counts bundles from now on. */
export function fleetReporter(dispatcher: Dispatcher, costModel: CostModel, now: () => number): FleetReporter {
  const bundles = { finished: 0, in_time: 0 };
  dispatcher.events.on("bundle:finished", ({ tookMs }) => {
    bundles.finished++;
    if (tookMs <= LEASE_LIMITS.microtaskMs) bundles.in_time++;
  });
  return () => {
    const standings = dispatcher.standings();
    const idle = standings.filter((donor) => donor.idle !== null);
    const { classes, ...overall } = costModel.calibration();
    return {
      object: "fleet",
      donors_online: standings.length,
      donors_idle: idle.length,
      idle_because: [...Map.groupBy(idle, ({ why }) => why)]
        .map(([why, donors]) => ({ reason: donors[0]?.idle ?? "no-work", why, donors: donors.length }))
        .sort((a, b) => b.donors - a.donors),
      jobs: jobsByStanding(dispatcher),
      predictions: {
        ...coverage(overall),
        classes: classes
          .map(({ deviceClass, ...own }) => ({ device_class: deviceClass, ...coverage(own) }))
          .sort((a, b) => b.observations - a.observations),
      },
      bundles: { ...bundles },
      mean_session_seconds: costModel.meanSessionMs(now()) / 1000,
    };
  };
}

function jobsByStanding(dispatcher: Dispatcher): FleetReport["jobs"] {
  const standings = new Map<string, { jobs: number; example: string }>();
  for (const jobId of dispatcher.openJobs()) {
    const progress = dispatcher.progress(jobId);
    if (!progress) continue;
    const known = standings.get(progress.standing);
    if (known) known.jobs++;
    else standings.set(progress.standing, { jobs: 1, example: progress.why });
  }
  return [...standings].map(([standing, rest]) => ({ standing, ...rest })).sort((a, b) => b.jobs - a.jobs);
}

function coverage({ observations, within80, belowP90 }: Coverage) {
  return { observations, within_80: within80, below_p90: belowP90 };
}
