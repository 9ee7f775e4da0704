import type { ReactNode } from "react";
import { Lanes } from "../lanes.tsx";

/** Nothing is here yet: what would be, and the one thing to do. */
export function EmptyState({ title, action, children }: { title: string; action?: ReactNode; children?: ReactNode }) {
  return (
    <div className="rounded-lg border border-line bg-raised px-5 py-8 sm:px-8 sm:py-10">
      <Lanes progress={0} lanes={5} className="h-10 w-full max-w-56" />
      <p className="mt-5 text-[1.25rem] font-[600]">{title}</p>
      {children ? <div className="mt-1.5 max-w-[36rem] text-ink-2">{children}</div> : null}
      {action ? <div className="mt-5 flex flex-wrap gap-3">{action}</div> : null}
    </div>
  );
}
