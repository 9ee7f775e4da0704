/** The plan, as measured before the job ran: how faithful, how long, how many bytes, what donors see, and what it costs beside doing it oneself. */
import { Eye, EyeOff } from "lucide-react";
import type { ReactNode } from "react";
import type { EncryptedPlan, Plan } from "#lib/protocol/api/jobs.ts";
import { formatBytes, formatCount, formatDuration, formatPercent } from "../../format.ts";
import { Card } from "../ui/card.tsx";
import { Stat } from "../ui/stat.tsx";

export function PlanFacts({ plan }: { plan: Plan }) {
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.2rem]">Plan</h2>
      <dl className="mt-4 grid grid-cols-2 gap-x-6 gap-y-4 xl:grid-cols-4">
        <Stat
          name="Same answers"
          unit={
            plan.privacy === "encrypted" ? `of ${formatCount(plan.fidelity.records)} tried` : "the model itself runs"
          }
        >
          {plan.privacy === "encrypted" ? formatPercent(plan.fidelity.same_answer_rate, 2) : "exact"}
        </Stat>
        <Stat name="Time" unit={donorsText(plan.donors_online)}>
          {plan.seconds_with_donors_online === null ? "–" : formatDuration(plan.seconds_with_donors_online)}
        </Stat>
        <Stat name="To donors" unit={`${formatBytes(plan.bytes_per_record_down)} a record`}>
          {formatBytes(plan.bytes_per_record_down * plan.records)}
        </Stat>
        <Stat name="From donors" unit={`${formatBytes(plan.bytes_per_record_up)} a record`}>
          {formatBytes(plan.bytes_per_record_up * plan.records)}
        </Stat>
      </dl>
      <div className="mt-5 flex gap-3 rounded-md bg-sunk px-4 py-3">
        {plan.privacy === "encrypted" ? (
          <EyeOff aria-hidden="true" className="mt-1 size-4 shrink-0 text-good" />
        ) : (
          <Eye aria-hidden="true" className="mt-1 size-4 shrink-0 text-wait" />
        )}
        <p className="text-[0.97rem] text-ink-2">
          <strong className="font-[600] text-ink">What donors see. </strong>
          {plan.donors_see}
        </p>
      </div>
      {plan.privacy === "encrypted" ? <Cost plan={plan} /> : null}
      <details className="mt-4 border-t border-line pt-3">
        <summary className="text-[0.95rem] text-ink-2 hover:text-ink">All of it</summary>
        <dl className="mt-2 divide-y divide-line">
          <Fact name="Records">{formatCount(plan.records)}</Fact>
          <Fact name="Microtasks">{formatCount(plan.microtasks)}</Fact>
          {plan.privacy === "public" ? (
            <Fact name="Donors’ computing, in all">
              {plan.donor_seconds === null ? "unknown" : formatDuration(plan.donor_seconds)}
            </Fact>
          ) : (
            <EncryptedFacts plan={plan} />
          )}
        </dl>
      </details>
    </Card>
  );
}

function donorsText(online: number): string {
  if (online === 0) return "no donor is online";
  return `with the ${online === 1 ? "donor" : `${formatCount(online)} donors`} online now`;
}

/** Who spends how much processor time, and the plain truth about whether it pays. */
function Cost({ plan }: { plan: EncryptedPlan }) {
  const costs = [
    { name: "Running it yourself, not encrypted", ms: plan.plain_model_ms_per_record, color: "var(--ink-3)" },
    {
      name:
        plan.custody === "submitter"
          ? "Your part: encrypting and decrypting"
          : "This server’s part: encrypting and decrypting",
      ms: plan.key_holder_ms_per_record,
      color: "var(--accent)",
    },
    {
      name: "Donors’ part: computing on ciphertext",
      ms: 1000 * plan.core_seconds_per_record,
      color: "var(--accent-quiet)",
    },
  ];
  const most = Math.max(...costs.map(({ ms }) => ms));
  const pays = plan.key_holder_ms_per_record < plan.plain_model_ms_per_record;
  return (
    <section aria-label="Cost" className="mt-5 border-t border-line pt-4">
      <h3 className="text-[1rem]">Processor time, for {formatCount(plan.records)} records</h3>
      <ul className="mt-3 grid gap-2.5">
        {costs.map(({ name, ms, color }) => (
          <li key={name}>
            <span className="flex flex-wrap justify-between gap-x-4 text-[0.95rem]">
              <span className="text-ink-2">{name}</span>
              <span className="number whitespace-nowrap">{formatDuration((ms * plan.records) / 1000)}</span>
            </span>
            <span aria-hidden="true" className="mt-1 block h-1.5 border-b border-line">
              <span
                className="block h-full"
                style={{ width: `${Math.max(0.4, (100 * ms) / most)}%`, background: color }}
              />
            </span>
          </li>
        ))}
      </ul>
      <p className="mt-3 text-[0.95rem] text-ink-2">
        {pays
          ? "Encrypting costs less than running the model: here it pays to hand it out."
          : "For this model, encrypting costs more than running it oneself. What you gain is that those who compute cannot read the data."}
      </p>
    </section>
  );
}

function EncryptedFacts({ plan }: { plan: EncryptedPlan }) {
  const { fidelity } = plan;
  return (
    <>
      <Fact name="Largest error of an output">{fidelity.largest_error.toPrecision(2)}</Fact>
      <Fact name="Records in a batch">{formatCount(plan.records_per_batch)}</Fact>
      <Fact name="Batches">{formatCount(plan.batches)}</Fact>
      <Fact name="Encrypting and decrypting, per record">{milliseconds(plan.key_holder_ms_per_record)}</Fact>
      <Fact name="Donors’ computing, per record">{milliseconds(1000 * plan.core_seconds_per_record)}</Fact>
      <Fact name="The plain model here, per record">{milliseconds(plan.plain_model_ms_per_record)}</Fact>
      <Fact name="Ring degree, modulus">{`${formatCount(plan.ring_degree)}, ${Math.round(plan.modulus_bits)} bit`}</Fact>
      <Fact name="Security">{plan.security_bits} bit</Fact>
    </>
  );
}

function milliseconds(ms: number): string {
  return `${ms >= 100 ? Math.round(ms) : Number(ms.toPrecision(2))} ms`;
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline justify-between gap-4 py-2">
      <dt className="text-ink-2">{name}</dt>
      <dd className="number whitespace-nowrap text-right">{children}</dd>
    </div>
  );
}
