"use client";
/** The account at a glance: what runs, what waits, who donates, what came last. */
import type { z } from "zod";
import { page } from "#lib/protocol/api/common.ts";
import { DonorsSummary } from "#lib/protocol/api/donors.ts";
import { JobResource } from "#lib/protocol/api/jobs.ts";
import { formatCount } from "../../format.ts";
import { JobList } from "../job/job-list.tsx";
import type { LaneMap } from "../map/lane-map.ts";
import { WorldLanes } from "../map/world-lanes.tsx";
import { Offline } from "../ui/offline.tsx";
import { Stat } from "../ui/stat.tsx";
import { usePolled } from "../use-polled.ts";

export interface OverviewProps {
  readonly jobs: readonly JobResource[];
  readonly donors: DonorsSummary;
  readonly map: LaneMap;
}

const JOBS_EVERY_MS = 2_500;
const DONORS_EVERY_MS = 5_000;
const Jobs = page(JobResource);

export function Overview({ jobs, donors, map }: OverviewProps) {
  const first: z.infer<typeof Jobs> = {
    object: "list",
    data: [...jobs],
    has_more: false,
    first_id: null,
    last_id: null,
  };
  const live = usePolled("/api/v1/jobs?limit=20", Jobs, first, JOBS_EVERY_MS);
  const { value: summary, connected } = usePolled("/api/v1/donors/summary", DonorsSummary, donors, DONORS_EVERY_MS);
  const now = live.value.data;
  const open = now.filter(({ status }) => ["planning", "queued", "running", "aggregating"].includes(status));
  const ended = now.filter((job) => !open.includes(job));
  const running = open.filter(({ status }) => status === "running" || status === "aggregating");
  return (
    <>
      <dl className="grid grid-cols-2 gap-x-8 gap-y-4 border-y border-line py-5 sm:grid-cols-4">
        <Stat name="Running" unit={running.length === 1 ? "job" : "jobs"}>
          {formatCount(running.length)}
        </Stat>
        <Stat name="Queued" unit={open.length - running.length === 1 ? "job" : "jobs"}>
          {formatCount(open.length - running.length)}
        </Stat>
        <Stat name="Donors online" unit="for everybody’s jobs">
          {formatCount(summary.online.donors)}
        </Stat>
        <Stat name="Checked and accepted" unit="microtasks, ever">
          {formatCount(summary.ever.microtasks)}
        </Stat>
      </dl>
      <Offline connected={live.connected && connected} />
      <section aria-labelledby="open-jobs">
        <h2 id="open-jobs" className="text-[1.3rem]">
          Running and queued
        </h2>
        {open.length > 0 ? (
          <JobList jobs={open} label="Running and queued jobs" />
        ) : (
          <p className="mt-2 text-ink-2">Nothing of yours runs or waits.</p>
        )}
      </section>
      <section aria-labelledby="donors-now" className="mt-10">
        <h2 id="donors-now" className="mb-3 text-[1.3rem]">
          Donors online
        </h2>
        <WorldLanes map={map} donors={summary.online} />
      </section>
      <section aria-labelledby="recent-jobs" className="mt-10">
        <div className="flex flex-wrap items-baseline justify-between gap-4">
          <h2 id="recent-jobs" className="text-[1.3rem]">
            Recent
          </h2>
          <a className="link" href="/dashboard/jobs">
            All jobs
          </a>
        </div>
        {ended.length > 0 ? (
          <JobList jobs={ended.slice(0, 8)} label="Recent jobs" />
        ) : (
          <p className="mt-2 text-ink-2">None has ended yet.</p>
        )}
      </section>
    </>
  );
}
