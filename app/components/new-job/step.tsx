import { Check } from "lucide-react";
import type { ReactNode } from "react";

/** One numbered step of the flow; steps that cannot be taken yet are shown, but quiet. */
export function Step({
  number,
  title,
  state,
  children,
}: {
  number: number;
  title: string;
  state: "waiting" | "open" | "done";
  children?: ReactNode;
}) {
  return (
    <section
      aria-label={title}
      className="grid grid-cols-[2rem_minmax(0,1fr)] gap-x-3 gap-y-3 border-t border-line pt-6 sm:grid-cols-[2.75rem_minmax(0,1fr)]"
    >
      <span
        aria-hidden="true"
        className={`number grid size-8 place-items-center rounded-full border text-[0.95rem] ${
          state === "done"
            ? "border-good bg-good-wash text-good"
            : state === "open"
              ? "border-accent text-accent"
              : "border-line text-ink-3"
        }`}
      >
        {state === "done" ? <Check className="size-4" strokeWidth={2.5} /> : number}
      </span>
      <h2 className={`self-center text-[1.3rem] ${state === "waiting" ? "text-ink-3" : ""}`}>{title}</h2>
      {state === "waiting" ? null : <div className="col-start-1 col-end-3 min-w-0 sm:col-start-2">{children}</div>}
    </section>
  );
}
