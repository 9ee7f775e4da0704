/** How many outputs became one answer a record: what was used and why, how good each way is on records it had not seen. */
import type { AggregationReport, JobAggregation } from "#lib/protocol/api/aggregation.ts";
import { formatCount, formatPercent, formatTime } from "../../format.ts";
import { ButtonLink } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Head, Table, Td, Th, Tr } from "../ui/table.tsx";
import { ReliabilityPlot } from "./reliability-plot.tsx";

type Candidate = AggregationReport["candidates"][number];

const NAMES: Readonly<Record<AggregationReport["reducer"], string>> = {
  concat: "as it is",
  mean: "mean",
  vote: "vote",
  max: "surest",
  "best-single": "best single one",
  learned: "learned",
};

export function AggregationCard({ aggregation, resultsUrl }: { aggregation: JobAggregation; resultsUrl: string }) {
  const { report, version, versions } = aggregation;
  const several = report.members * report.segments_per_record > 1;
  const used = report.candidates.find(({ reducer }) => reducer === report.reducer);
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.3rem]">How the answers were combined</h2>
      <p className="mt-1 max-w-3xl text-ink-2">
        {several ? `${parts(report)} give one answer a record: ` : "Every record has one output. "}
        <span className="font-[560] text-ink">{NAMES[report.reducer]}</span>. {sentence(report.because)}
      </p>
      {report.notes.map((note) => (
        <p key={note} className="mt-2 text-[0.95rem] text-wait">
          {note}
        </p>
      ))}
      {report.candidates.length > 0 ? (
        <div className="mt-5 grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          <Candidates report={report} />
          {used && used.reliability.length > 0 ? <ReliabilityPlot bins={used.reliability} /> : null}
        </div>
      ) : null}
      {report.trust.length > 0 ? <Trust report={report} /> : null}
      {versions.length > 1 ? (
        <div className="mt-6">
          <h3 className="text-[1.02rem]">Versions</h3>
          <ul className="mt-2 grid gap-2 text-[0.95rem]">
            {versions.toReversed().map((entry) => (
              <li key={entry.version} className="flex flex-wrap items-center justify-between gap-3">
                <span className="text-ink-2">
                  <span className="number text-ink">{entry.version}</span>
                  {entry.version === version ? " (newest)" : ""} · {NAMES[entry.reducer]} ·{" "}
                  <span className="number">{formatCount(entry.labels)}</span> labels ·{" "}
                  <span className="number">{formatTime(entry.created_at)}</span>
                </span>
                <ButtonLink
                  kind="quiet"
                  size="small"
                  download
                  href={`${resultsUrl}?format=csv&version=${entry.version}`}
                >
                  CSV
                </ButtonLink>
              </li>
            ))}
          </ul>
        </div>
      ) : null}
      <p className="mt-5 text-[0.88rem] text-ink-3">
        Start of the learned reducer: {report.prior === "fresh" ? "from scratch" : report.prior}.{" "}
        {report.ratings.count > 0 ? (
          <>
            <span className="number">{formatCount(report.ratings.count)}</span> ratings, on average{" "}
            <span className="number">{report.ratings.mean?.toFixed(2)}</span>; they change no answer.{" "}
          </>
        ) : null}
        <a className="link" href="/docs/aggregation">
          How this works
        </a>
      </p>
    </Card>
  );
}

function Candidates({ report }: { report: AggregationReport }) {
  const judged =
    report.folds > 0
      ? `${formatCount(report.labels_used)} labelled records, each judged by a fit that had not seen it (${report.folds} folds)`
      : `${formatCount(report.labels_used)} labelled records`;
  const classes = report.task === "classification";
  return (
    <div>
      <Table label="Reducers on held-out records">
        <Head>
          <Th>Reducer</Th>
          {classes ? <Th numeric>Right</Th> : null}
          {classes ? <Th className="w-full">95 % interval</Th> : null}
          <Th numeric>{classes ? "Log loss" : "Squared error"}</Th>
          {classes ? <Th numeric>Off in certainty</Th> : null}
        </Head>
        <tbody>
          {report.candidates.toSorted(better).map((candidate) => (
            <Tr key={candidate.reducer} className={candidate.reducer === report.reducer ? "bg-accent-wash" : ""}>
              <Td>
                {NAMES[candidate.reducer]}
                {candidate.reducer === report.reducer ? <span className="text-ink-3"> · used</span> : null}
              </Td>
              {classes ? <Td numeric>{formatPercent(candidate.accuracy ?? 0, 1)}</Td> : null}
              {classes ? (
                <Td>
                  <Interval candidate={candidate} all={report.candidates} />
                </Td>
              ) : null}
              <Td numeric>
                {Number(candidate.loss.toPrecision(4))} ± {Number(candidate.loss_standard_error.toPrecision(2))}
              </Td>
              {classes ? <Td numeric>{formatPercent(candidate.calibration_error ?? 0, 1)}</Td> : null}
            </Tr>
          ))}
        </tbody>
      </Table>
      <p className="mt-2 text-[0.9rem] text-ink-3">On {judged}.</p>
    </div>
  );
}

/** Where the accuracy lies, on the scale that all candidates share. */
function Interval({ candidate, all }: { candidate: Candidate; all: readonly Candidate[] }) {
  const [low, high] = candidate.accuracy_interval ?? [0, 1];
  const from = Math.min(...all.map(({ accuracy_interval }) => accuracy_interval?.[0] ?? 0));
  const to = Math.max(...all.map(({ accuracy_interval }) => accuracy_interval?.[1] ?? 1));
  const at = (share: number) => (100 * (share - from)) / Math.max(1e-9, to - from);
  return (
    <svg
      viewBox="0 0 100 10"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${formatPercent(low, 1)} to ${formatPercent(high, 1)}`}
      className="h-3 w-full min-w-24"
    >
      <rect x="0" width="100" y="4.6" height="0.8" fill="var(--line)" />
      <rect x={at(low)} width={Math.max(0.5, at(high) - at(low))} y="3.6" height="2.8" fill="var(--accent-quiet)" />
      <rect x={at(candidate.accuracy ?? low) - 0.5} width="1" y="0.5" height="9" fill="var(--accent)" />
    </svg>
  );
}

function Trust({ report }: { report: AggregationReport }) {
  const largest = Math.max(...report.weights.map(({ weight }) => weight), 1e-9);
  return (
    <div className="mt-6">
      <h3 className="text-[1.02rem]">What it trusts</h3>
      <ul className="mt-2 grid list-disc gap-1 pl-5 text-ink-2">
        {report.trust.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      <dl className="mt-3 grid max-w-2xl grid-cols-[minmax(0,12rem)_minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1.5 text-[0.92rem]">
        {report.weights.slice(0, 24).map(({ name, weight }) => (
          <div key={name} className="contents">
            <dt className="truncate text-ink-2">{name}</dt>
            <dd aria-hidden="true" className="h-2 rounded-sm bg-sunk">
              <div className="h-2 rounded-sm bg-accent" style={{ width: `${(100 * weight) / largest}%` }} />
            </dd>
            <dd className="number text-right">{formatPercent(weight, 1)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function parts({ members, segments_per_record }: AggregationReport): string {
  const models = `${formatCount(members)} ${members === 1 ? "model" : "models"}`;
  if (segments_per_record === 1) return models;
  return `${models} on ${formatCount(segments_per_record)} segments each`;
}

function better(a: Candidate, b: Candidate): number {
  return (b.accuracy ?? 0) - (a.accuracy ?? 0) || a.loss - b.loss;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}
