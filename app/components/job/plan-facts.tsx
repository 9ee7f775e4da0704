/** The plan, as measured before the job ran. */
import { Eye, EyeOff } from "lucide-react";
import type { ReactNode } from "react";
import type { Plan } from "#lib/protocol/api/jobs.ts";
import { formatBytes, formatCount, formatDuration, formatPercent } from "../../format.ts";
import { Card } from "../ui/card.tsx";

export function PlanFacts({ plan }: { plan: Plan }) {
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.2rem]">Plan</h2>
      <dl className="mt-3 divide-y divide-line">
        <Fact name="Records">{formatCount(plan.records)}</Fact>
        <Fact name="Microtasks">{formatCount(plan.microtasks)}</Fact>
        <Fact name="To donors, per record">{formatBytes(plan.bytes_per_record_down)}</Fact>
        <Fact name="From donors, per record">{formatBytes(plan.bytes_per_record_up)}</Fact>
        {plan.privacy === "public" ? (
          <Fact name="Computing, in all">
            {plan.donor_seconds === null ? "unknown" : formatDuration(plan.donor_seconds)}
          </Fact>
        ) : (
          <EncryptedFacts plan={plan} />
        )}
        <Fact name="With the donors online now">
          {plan.seconds_with_donors_online === null
            ? "none online"
            : `${formatCount(plan.donors_online)}: ${formatDuration(plan.seconds_with_donors_online)}`}
        </Fact>
      </dl>
      <div className="mt-4 flex gap-3 rounded-md bg-sunk px-4 py-3">
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
    </Card>
  );
}

function EncryptedFacts({ plan }: { plan: Extract<Plan, { privacy: "encrypted" }> }) {
  const { fidelity } = plan;
  return (
    <>
      <Fact name={`Same answer as the plain model, on ${formatCount(fidelity.records)} records`}>
        {formatPercent(fidelity.same_answer_rate, 2)}
      </Fact>
      <Fact name="Largest error of an output">{fidelity.largest_error.toPrecision(2)}</Fact>
      <Fact name="Donors' computing, per record">{milliseconds(1000 * plan.core_seconds_per_record)}</Fact>
      <Fact name="Encrypting and decrypting, per record">{milliseconds(plan.key_holder_ms_per_record)}</Fact>
      <Fact name="The plain model here, per record">{milliseconds(plan.plain_model_ms_per_record)}</Fact>
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
