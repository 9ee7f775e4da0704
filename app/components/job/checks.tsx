/** How results were checked, drawn: of all accepted units, those that were computed a second time. */
import { ShieldCheck } from "lucide-react";
import type { JobWork } from "#lib/protocol/api/job-work.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { formatCount, formatDuration, formatPercent } from "../../format.ts";
import { Card } from "../ui/card.tsx";

/** Why results were refused, for people. */
const REFUSALS: Readonly<Record<string, string>> = {
  audit_failed: "recomputed and found wrong",
  result_malformed: "not of the form that was asked for",
  timeout: "took too long",
  internal: "lost on our side",
};

export function Checks({ job, work }: { job: JobResource; work: JobWork }) {
  const { checks, unit } = work;
  const share = checks.units === 0 ? 0 : checks.units_recomputed / checks.units;
  const refused = checks.refused.reduce((sum, { results }) => sum + results, 0);
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.2rem]">Checks</h2>
      {checks.results === 0 ? (
        <p className="mt-1 text-ink-2">Results are checked as they come in, before they count.</p>
      ) : (
        <>
          <p className="mt-1 text-ink-2">
            Of <span className="number text-ink">{formatCount(checks.units)}</span> {unit} in accepted results,{" "}
            <span className="number text-ink">{formatCount(checks.units_recomputed)}</span> were drawn afterwards and
            computed again here: <span className="number text-ink">{formatPercent(share, share < 0.1 ? 1 : 0)}</span>.
            All were right.
          </p>
          <Drawn share={share} />
          <p className="mt-4 text-[0.97rem] text-ink-2">
            {refused === 0 ? (
              <span className="flex gap-2">
                <ShieldCheck aria-hidden="true" className="mt-1 size-4 shrink-0 text-good" /> No result was refused.
              </span>
            ) : (
              <>
                Refused and computed by somebody else:{" "}
                {checks.refused
                  .map(({ code, results }) => `${formatCount(results)} ${REFUSALS[code] ?? code.replaceAll("_", " ")}`)
                  .join(", ")}
                .
              </>
            )}
          </p>
        </>
      )}
      {job.report ? <Measured report={job.report} /> : null}
    </Card>
  );
}

/** A hundred lanes; as many of them as were drawn are dark. */
function Drawn({ share }: { share: number }) {
  const lanes = 100;
  const drawn = Math.max(share > 0 ? 1 : 0, Math.round(share * lanes));
  return (
    <svg viewBox={`0 0 ${lanes} 10`} preserveAspectRatio="none" aria-hidden="true" className="mt-3 h-9 w-full">
      {Array.from({ length: lanes }, (_, lane) => {
        // A fixed scatter: which ones were really drawn is not kept.
        const dark = (lane * 61) % lanes < drawn;
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a lane is its place
            key={lane}
            x={lane + 0.3}
            y={dark ? 0 : 3}
            width="0.4"
            height={dark ? 10 : 4}
            fill={dark ? "var(--good)" : "var(--line-strong)"}
          />
        );
      })}
    </svg>
  );
}

function Measured({ report }: { report: NonNullable<JobResource["report"]> }) {
  const { fidelity, alarms, audits } = report;
  return (
    <dl className="mt-4 divide-y divide-line border-t border-line text-[0.97rem]">
      {fidelity ? (
        <Fact name={`Same answer as the plain model, on ${formatCount(fidelity.records)} records of this job`}>
          {formatPercent(fidelity.same_answer_rate, 2)}
        </Fact>
      ) : null}
      <Fact name="Batches that did not decrypt and were done anew">{formatCount(alarms)}</Fact>
      <Fact name="Checking cost, beside the donors’ computing">
        {formatDuration(audits.cpu_seconds)} of {formatDuration(audits.donor_seconds)}
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="flex items-baseline justify-between gap-4 py-2">
      <dt className="text-ink-2">{name}</dt>
      <dd className="number text-right whitespace-nowrap">{children}</dd>
    </div>
  );
}
