import type { ReactNode } from "react";

const TONES = {
  plain: "border-line-strong text-ink-2",
  good: "border-good text-good",
  wait: "border-wait text-wait",
  bad: "border-bad text-bad",
  accent: "border-accent text-accent",
};

/** A word about a thing: its kind, its scope, its state. The word says it; the colour only repeats it. */
export function Badge({ tone = "plain", children }: { tone?: keyof typeof TONES; children: ReactNode }) {
  return (
    <span
      className={`inline-flex items-center gap-1.5 rounded-sm border px-1.5 py-px text-[0.86rem] whitespace-nowrap ${TONES[tone]}`}
    >
      {children}
    </span>
  );
}
