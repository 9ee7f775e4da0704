"use client";
/** Everything about one job: what it does now, how far it is, what was planned, and its results. */
import { useState } from "react";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { formatCount, formatDuration, formatRate, formatTime } from "../../format.ts";
import { postJson, problemText } from "../api.ts";
import { Lanes } from "../lanes.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import { Stat } from "../ui/stat.tsx";
import { StatusBadge } from "../ui/status.tsx";
import { PlanFacts } from "./plan-facts.tsx";
import { ResultDownloads } from "./result-downloads.tsx";
import { useJob } from "./use-job.ts";

export function JobView({ initial }: { initial: JobResource }) {
  const { job, connected } = useJob(initial);
  const ended = job.status === "completed" || job.status === "failed" || job.status === "canceled";
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-6">
      <header className="grid gap-3">
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <h1 className="min-w-0 text-[1.8rem] [overflow-wrap:anywhere] sm:text-[2.1rem]">{job.name}</h1>
          <StatusBadge status={job.status} />
          <PrivacyBadge privacy={job.privacy} />
        </div>
        <p aria-live="polite" className="text-[1.08rem] text-ink-2">
          {job.status === "failed" ? "It failed." : job.why}
          {connected ? null : <span className="ml-2 text-wait">Connection lost, trying again…</span>}
        </p>
        {job.error ? (
          <Notice tone="bad" title="Why it failed">
            {job.error.detail} <span className="number text-[0.85rem] text-ink-3">({job.error.code})</span>
          </Notice>
        ) : null}
      </header>
      <Progress job={job} />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
        <ResultDownloads job={job} />
        {job.plan ? <PlanFacts plan={job.plan} /> : null}
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

function PrivacyBadge({ privacy }: { privacy: JobResource["privacy"] }) {
  return (
    <span className="rounded-sm border border-line-strong px-2 py-0.5 text-[0.88rem] text-ink-2">
      {privacy === "encrypted" ? "Encrypted data" : "Public data"}
    </span>
  );
}

function Progress({ job }: { job: JobResource }) {
  const { counts } = job;
  const share = counts.units === 0 ? 0 : counts.units_accepted / counts.units;
  const unit = job.privacy === "encrypted" ? "lanes" : "records";
  return (
    <Card className="p-5 sm:p-6">
      <Lanes progress={share} lanes={26} className="h-40 w-full sm:h-52" label="Progress of the job" />
      <dl className="mt-6 grid grid-cols-2 gap-x-6 gap-y-5 sm:grid-cols-3 lg:grid-cols-6">
        <Stat name={unit === "lanes" ? "Lanes done" : "Records done"} unit={`of ${formatCount(counts.units)}`}>
          {formatCount(counts.units_accepted)}
        </Stat>
        <Stat name="Speed" {...(job.units_per_second === null ? {} : { unit: `${unit}/s` })}>
          {job.units_per_second === null ? "–" : formatRate(job.units_per_second)}
        </Stat>
        <Stat name={job.completed_at ? "Took" : "Time left"}>{timeOf(job)}</Stat>
        <Stat name="Microtasks" unit={`of ${formatCount(counts.microtasks)}`}>
          {formatCount(counts.microtasks_accepted)}
        </Stat>
        <Stat name="With donors now">{formatCount(counts.microtasks_leased)}</Stat>
        <Stat name={`Recomputed ${unit}`}>{formatCount(counts.audits)}</Stat>
      </dl>
      {counts.results_refused > 0 || counts.microtasks_quarantined > 0 ? (
        <p className="mt-5 text-[0.95rem] text-ink-2">
          <span className="number">{formatCount(counts.results_refused)}</span> results were refused after checking and
          computed again by someone else.{" "}
          {counts.microtasks_quarantined > 0 ? (
            <>
              <span className="number">{formatCount(counts.microtasks_quarantined)}</span> microtasks kept failing and
              were set aside.
            </>
          ) : null}
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
  const [asked, setAsked] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  async function cancel() {
    try {
      await postJson(`${job.urls.self}/cancel`, {});
    } catch (error) {
      setProblem(problemText(error));
    }
  }
  if (problem) return <Notice tone="bad" title={problem} />;
  if (!asked) {
    return (
      <Button kind="quiet" onClick={() => setAsked(true)}>
        Cancel job
      </Button>
    );
  }
  return (
    <div className="flex flex-wrap items-center gap-3">
      <span className="text-ink-2">What is computed so far is dropped.</span>
      <Button kind="danger" onClick={cancel}>
        Cancel it
      </Button>
      <Button kind="quiet" onClick={() => setAsked(false)}>
        Keep it
      </Button>
    </div>
  );
}
