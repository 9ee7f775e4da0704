import type { ReactNode } from "react";

/** A page's name, one sentence on what it is for, and its main act. */
export function PageHeader({ title, action, children }: { title: string; action?: ReactNode; children?: ReactNode }) {
  return (
    <header className="mb-7 flex flex-wrap items-end justify-between gap-x-6 gap-y-4">
      <div className="min-w-0">
        <h1 className="text-[2rem] [overflow-wrap:anywhere] sm:text-[2.2rem]">{title}</h1>
        {children ? <div className="mt-1.5 max-w-[42rem] text-[1.05rem] text-ink-2">{children}</div> : null}
      </div>
      {action ? <div className="flex flex-wrap gap-2.5">{action}</div> : null}
    </header>
  );
}
