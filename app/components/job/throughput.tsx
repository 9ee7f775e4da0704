/** Units accepted per second over the life of the job. */
import type { JobWork } from "#lib/protocol/api/job-work.ts";
import { formatCount, formatDuration, formatRate } from "../../format.ts";
import { Card } from "../ui/card.tsx";

const HEIGHT = 40;
/** Fewer steps than these draw no curve. */
const STEPS_DRAWN = 5;

export function Throughput({ work }: { work: JobWork }) {
  const { units_per_second: rates, seconds_per_step: step } = work.throughput;
  const peak = Math.max(0, ...rates);
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.2rem]">Speed</h2>
      {peak === 0 ? (
        <p className="mt-1 text-ink-2">Nothing has been accepted yet.</p>
      ) : rates.length < STEPS_DRAWN ? (
        <p className="mt-1 text-ink-2">
          Too short to draw: {formatCount(work.checks.units)} {work.unit} in about {formatDuration(rates.length * step)}
          .
        </p>
      ) : (
        <figure className="mt-3">
          <svg
            viewBox={`0 0 ${rates.length} ${HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={`${work.unit} per second over ${formatDuration(rates.length * step)}, at most ${formatRate(peak)}`}
            className="h-32 w-full"
          >
            <line
              x1="0"
              x2={rates.length}
              y1={HEIGHT - 0.2}
              y2={HEIGHT - 0.2}
              stroke="var(--line-strong)"
              strokeWidth="0.4"
            />
            {rates.map((rate, at) => (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place in time
                key={at}
                x={at + 0.2}
                width={0.6}
                y={HEIGHT - (HEIGHT * rate) / peak}
                height={(HEIGHT * rate) / peak}
                fill="var(--accent)"
              />
            ))}
          </svg>
          <figcaption className="mt-2 flex justify-between gap-4 text-[0.92rem] text-ink-3">
            <span>
              peak <span className="number text-ink">{formatRate(peak)}</span> {work.unit}/s
            </span>
            <span className="number">{formatDuration(rates.length * step)}</span>
          </figcaption>
        </figure>
      )}
    </Card>
  );
}
