/** How answers came about, in lines of text. */
import type { AggregationReport, JobAggregation } from "#lib/protocol/api/aggregation.ts";

export function describeAggregation({ version, report }: Pick<JobAggregation, "version" | "report">): string[] {
  return [`Results version ${version}`, ...describeReport(report)];
}

/** What was used, why, and how good each candidate was on records that it had not seen. */
export function describeReport(report: AggregationReport): string[] {
  return [
    `Answers: ${report.reducer} (${report.because})`,
    ...report.candidates.map(candidateLine),
    ...report.trust,
    ...report.notes.map((note) => `note: ${note}`),
  ];
}

function candidateLine(candidate: AggregationReport["candidates"][number]): string {
  const name = candidate.reducer.padEnd(11);
  const loss = `loss ${candidate.loss.toFixed(4)} ± ${candidate.loss_standard_error.toFixed(4)}`;
  if (candidate.accuracy === null || candidate.accuracy_interval === null) return `  ${name} ${loss}`;
  const [low, high] = candidate.accuracy_interval.map((share) => (100 * share).toFixed(1));
  const calibration = (100 * (candidate.calibration_error ?? 0)).toFixed(1);
  return `  ${name} ${(100 * candidate.accuracy).toFixed(1)} % right (${low}–${high}), ${loss}, ${calibration} points off in stated certainty`;
}
