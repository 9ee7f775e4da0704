import type { ReactNode } from "react";

/** One number with its name and unit. */
export function Stat({ name, unit, children }: { name: string; unit?: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-[0.88rem] text-ink-3">{name}</dt>
      <dd className="number mt-0.5 text-[1.25rem] leading-tight">
        {children}
        <span className="block min-h-[1.3em] font-sans text-[0.9rem] text-ink-3">{unit}</span>
      </dd>
    </div>
  );
}
