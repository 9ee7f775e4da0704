/** A job's status: a mark of its own shape beside the word, so that it never depends on colour alone. */
import { Ban, Check, CircleDashed, Combine, Hourglass, Play, X } from "lucide-react";
import type { JobStatus } from "#lib/protocol/api/jobs.ts";

const LOOKS: Record<JobStatus, { text: string; icon: typeof Check; tone: string }> = {
  planning: { text: "Planning", icon: CircleDashed, tone: "bg-wait-wash text-wait" },
  queued: { text: "Queued", icon: Hourglass, tone: "bg-wait-wash text-wait" },
  running: { text: "Running", icon: Play, tone: "bg-accent-wash text-accent" },
  aggregating: { text: "Combining", icon: Combine, tone: "bg-accent-wash text-accent" },
  completed: { text: "Completed", icon: Check, tone: "bg-good-wash text-good" },
  failed: { text: "Failed", icon: X, tone: "bg-bad-wash text-bad" },
  canceled: { text: "Cancelled", icon: Ban, tone: "bg-sunk text-ink-2" },
};

export function StatusBadge({ status }: { status: JobStatus }) {
  const { text, icon: Icon, tone } = LOOKS[status];
  return (
    <span className={`inline-flex items-center gap-1.5 rounded-sm px-2 py-0.5 text-[0.88rem] font-[560] ${tone}`}>
      <Icon aria-hidden="true" className="size-3.5" strokeWidth={2.25} />
      {text}
    </span>
  );
}
