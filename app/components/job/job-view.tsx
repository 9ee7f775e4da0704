"use client";
/** Everything about one job: what it does now, how far it is, who computes, what was planned and checked, and its results. */
import { useState } from "react";
import { JobWork } from "#lib/protocol/api/job-work.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { formatCount, formatDuration, formatRate, formatTime } from "../../format.ts";
import { postJson, problemText } from "../api.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { Notice } from "../ui/notice.tsx";
import { Offline } from "../ui/offline.tsx";
import { Stat } from "../ui/stat.tsx";
import { StatusBadge } from "../ui/status.tsx";
import { usePolled } from "../use-polled.ts";
import { AggregationCard } from "./aggregation-report.tsx";
import { Checks } from "./checks.tsx";
import { PlanFacts } from "./plan-facts.tsx";
import { Results, SealedResults } from "./results.tsx";
import { SealedPanel, useHolding } from "./sealed-panel.tsx";
import { Throughput } from "./throughput.tsx";
import { useJob } from "./use-job.ts";
import { WhoComputed } from "./who-computed.tsx";
import { WorkLanes } from "./work-lanes.tsx";

const WORK_EVERY_MS = 1_000;

export function JobView({ initial, initialWork }: { initial: JobResource; initialWork: JobWork }) {
  const { job, connected, refresh } = useJob(initial);
  const [holding, askHolding] = useHolding(job);
  const ended = job.status === "completed" || job.status === "failed" || job.status === "canceled";
  const { value: work } = usePolled(
    `${job.urls.self}/work`,
    JobWork,
    initialWork,
    WORK_EVERY_MS,
    // Once more after the end: the last results count too.
    ({ checks }) => ended && checks.units >= job.counts.units_accepted,
  );
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <header>
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <h1 className="min-w-0 text-[1.9rem] [overflow-wrap:anywhere] sm:text-[2.2rem]">{job.name}</h1>
          <StatusBadge status={job.status} />
          <Badge>{job.privacy === "encrypted" ? "Encrypted data" : "Public data"}</Badge>
          {job.custody === "submitter" ? <Badge>Your key</Badge> : null}
        </div>
        <p aria-live="polite" className="mt-2 text-[1.08rem] text-ink-2">
          {job.status === "failed" ? "It failed." : job.why}
        </p>
        {job.error ? (
          <div className="mt-3">
            <Notice tone="bad" title="Why it failed">
              {job.error.detail} <span className="number text-[0.85rem] text-ink-3">({job.error.code})</span>
            </Notice>
          </div>
        ) : null}
        {ended ? null : <Offline connected={connected} />}
      </header>
      <Progress job={job} work={work} />
      {job.custody === "submitter" ? <SealedPanel job={job} holding={holding} onChange={askHolding} /> : null}
      {job.status === "completed" && job.custody === "coordinator" ? <Results job={job} refresh={refresh} /> : null}
      {job.aggregation ? <AggregationCard aggregation={job.aggregation} resultsUrl={job.urls.results} /> : null}
      {job.custody === "submitter" && holding === "answers" ? <SealedResults job={job} /> : null}
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-2">
        <div className="grid gap-6">
          <Checks job={job} work={work} />
          <WhoComputed work={work} />
        </div>
        <div className="grid gap-6">
          {job.plan ? <PlanFacts plan={job.plan} /> : null}
          <Throughput work={work} />
        </div>
      </div>
      <footer className="flex flex-wrap items-center justify-between gap-4 border-t border-line pt-5 text-[0.92rem] text-ink-3">
        <p className="number [overflow-wrap:anywhere]">
          {job.id} · submitted {formatTime(job.created_at)}
        </p>
        {ended ? null : <CancelButton job={job} />}
      </footer>
    </div>
  );
}

function Progress({ job, work }: { job: JobResource; work: JobWork }) {
  const { counts } = job;
  const share = counts.units === 0 ? 0 : counts.units_accepted / counts.units;
  const unit = job.privacy === "encrypted" ? "lanes" : "records";
  return (
    <Card className="p-5 sm:p-6">
      <WorkLanes
        rows={work.rows}
        progress={share}
        className={job.status === "completed" ? "h-24 w-full" : "h-44 w-full sm:h-56"}
        label="Progress of the job"
      />
      <dl className="mt-6 grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-3 lg:grid-cols-6">
        <Stat name={unit === "lanes" ? "Lanes done" : "Records done"} unit={`of ${formatCount(counts.units)}`}>
          {formatCount(counts.units_accepted)}
        </Stat>
        <Stat name="Speed now" {...(job.units_per_second === null ? {} : { unit: `${unit}/s` })}>
          {job.units_per_second === null ? "–" : formatRate(job.units_per_second)}
        </Stat>
        <Stat name={job.completed_at ? "Took" : "Time left"}>{timeOf(job)}</Stat>
        <Stat name="Microtasks" unit={`of ${formatCount(counts.microtasks)}`}>
          {formatCount(counts.microtasks_accepted)}
        </Stat>
        <Stat name="With donors now" unit="microtasks">
          {formatCount(counts.microtasks_leased)}
        </Stat>
        <Stat name="Recomputed" unit={unit}>
          {formatCount(counts.audits)}
        </Stat>
      </dl>
      {counts.microtasks_quarantined > 0 ? (
        <p className="mt-4 text-[0.97rem] text-ink-2">
          <span className="number">{formatCount(counts.microtasks_quarantined)}</span> microtasks kept failing and were
          set aside.
        </p>
      ) : null}
    </Card>
  );
}

function timeOf(job: JobResource): string {
  if (job.completed_at) {
    return formatDuration((Date.parse(job.completed_at) - Date.parse(job.started_at ?? job.created_at)) / 1000);
  }
  return job.eta_seconds === null ? "–" : formatDuration(job.eta_seconds);
}

function CancelButton({ job }: { job: JobResource }) {
  const [problem, setProblem] = useState<string | null>(null);
  async function cancel() {
    try {
      await postJson(`${job.urls.self}/cancel`, {});
    } catch (error) {
      setProblem(problemText(error));
    }
  }
  if (problem) return <Notice tone="bad" title={problem} />;
  return (
    <Confirm
      trigger={<Button kind="quiet">Cancel job</Button>}
      title="Cancel this job?"
      description="What is computed so far is dropped."
      act="Cancel it"
      onConfirm={cancel}
    />
  );
}
