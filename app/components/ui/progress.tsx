/** How far one thing is: a single lane, with what it is and how much of it in words. */
export interface ProgressProps {
  readonly label: string;
  /** 0..1; null while unknown. */
  readonly value: number | null;
  /** E.g. "3.1 of 8.0 MB". */
  readonly detail?: string;
  readonly className?: string;
}

export function Progress({ label, value, detail, className = "" }: ProgressProps) {
  const known = value === null ? {} : { "aria-valuenow": Math.round(100 * value) };
  return (
    <div className={className}>
      <div className="flex items-baseline justify-between gap-4 text-[0.95rem]">
        <span className="text-ink-2">{label}</span>
        <span className="number text-[0.88rem] whitespace-nowrap text-ink-3">{detail ?? percent(value)}</span>
      </div>
      <div
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        {...known}
        className="relative mt-2 h-2"
      >
        <span className="absolute inset-x-0 top-[3.5px] h-px bg-line-strong" />
        <span
          className={`lane-fill absolute inset-x-0 top-[2px] h-1 bg-accent ${value === null ? "lane-unknown" : ""}`}
          style={{ transform: `scaleX(${(value ?? 0.3).toFixed(4)})` }}
        />
      </div>
    </div>
  );
}

function percent(value: number | null): string {
  return value === null ? "…" : `${Math.floor(100 * value)} %`;
}
