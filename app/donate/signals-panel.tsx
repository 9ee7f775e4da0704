"use client";
/** What this page sees of the machine, and what each of it does, in words. */
import type { DonorSettings, DonorView } from "#worker/host/donor.ts";
import { signalWords } from "#worker/host/signal-words.ts";
import { Card } from "../components/ui/card.tsx";

export function SignalsPanel(props: { view: DonorView; settings: DonorSettings; className?: string }) {
  const { view, settings, className = "" } = props;
  const signals = signalWords(view, settings);
  if (signals.length === 0) return null;
  return (
    <Card className={`p-5 ${className}`}>
      <h2 className="text-[1.15rem]">What this tab notices</h2>
      <dl className="mt-3 grid gap-3 text-[0.95rem]">
        {signals.map(({ name, state, effect, limits }) => (
          <div key={name} className={limits ? "border-l-2 border-accent pl-3" : "border-l-2 border-transparent pl-3"}>
            <dt className="flex flex-wrap items-baseline justify-between gap-x-4">
              <span className="text-ink-2">{name}</span>
              <span>{state}</span>
            </dt>
            <dd className="text-[0.88rem] text-ink-3">{effect}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
