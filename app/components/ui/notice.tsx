import { AlertTriangle, Info } from "lucide-react";
import type { ReactNode } from "react";

/** What happened, and what to do next. */
export function Notice({ tone, title, children }: { tone: "bad" | "info"; title: string; children?: ReactNode }) {
  const Icon = tone === "bad" ? AlertTriangle : Info;
  const colors = tone === "bad" ? "border-bad bg-bad-wash" : "border-line-strong bg-sunk";
  return (
    <div className={`flex gap-3 rounded-md border-l-4 px-4 py-3 ${colors}`} role={tone === "bad" ? "alert" : undefined}>
      <Icon aria-hidden="true" className={`mt-1 size-4 shrink-0 ${tone === "bad" ? "text-bad" : "text-ink-3"}`} />
      <div className="min-w-0">
        <p className="font-[600]">{title}</p>
        {children ? <div className="mt-0.5 text-ink-2 [overflow-wrap:anywhere]">{children}</div> : null}
      </div>
    </div>
  );
}
