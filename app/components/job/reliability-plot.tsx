/** Stated certainty against how often it was right: on the diagonal, a stated 80 % is right eight times in ten. */
import { formatCount, formatPercent } from "../../format.ts";

export interface ReliabilityBin {
  readonly confidence: number;
  readonly accuracy: number;
  readonly records: number;
}

const SIZE = 220;
const MARGIN = { left: 34, right: 8, top: 8, bottom: 30 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];

export function ReliabilityPlot({ bins }: { bins: readonly ReliabilityBin[] }) {
  const most = Math.max(...bins.map(({ records }) => records));
  const x = (share: number) => MARGIN.left + share * (SIZE - MARGIN.left - MARGIN.right);
  const y = (share: number) => SIZE - MARGIN.bottom - share * (SIZE - MARGIN.top - MARGIN.bottom);
  const points = bins.map(({ confidence, accuracy }) => `${x(confidence)},${y(accuracy)}`).join(" ");
  return (
    <figure className="max-w-xs">
      <svg
        viewBox={`0 0 ${SIZE} ${SIZE}`}
        role="img"
        aria-label={`Reliability: ${bins
          .map(({ confidence, accuracy }) => `stated ${formatPercent(confidence)}, right ${formatPercent(accuracy)}`)
          .join("; ")}`}
        className="w-full"
      >
        {TICKS.map((share) => (
          <g key={share}>
            <line x1={x(0)} x2={x(1)} y1={y(share)} y2={y(share)} stroke="var(--line)" strokeWidth="0.7" />
            <text x={MARGIN.left - 5} y={y(share) + 3} textAnchor="end" fontSize="8.5" fill="var(--ink-3)">
              {Math.round(100 * share)}
            </text>
            <text x={x(share)} y={SIZE - MARGIN.bottom + 12} textAnchor="middle" fontSize="8.5" fill="var(--ink-3)">
              {Math.round(100 * share)}
            </text>
          </g>
        ))}
        <line x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} stroke="var(--line-strong)" strokeDasharray="3 3" />
        <polyline points={points} fill="none" stroke="var(--accent)" strokeWidth="1.4" />
        {bins.map(({ confidence, accuracy, records }) => (
          <circle
            key={confidence}
            cx={x(confidence)}
            cy={y(accuracy)}
            r={1.6 + 4 * Math.sqrt(records / most)}
            fill="var(--accent)"
            fillOpacity="0.75"
          >
            <title>{`${formatCount(records)} records: stated ${formatPercent(confidence, 1)}, right ${formatPercent(accuracy, 1)}`}</title>
          </circle>
        ))}
        <text x={x(0.5)} y={SIZE - 4} textAnchor="middle" fontSize="9" fill="var(--ink-2)">
          stated certainty, %
        </text>
        <text x={8} y={MARGIN.top + 2} fontSize="9" fill="var(--ink-2)" writingMode="vertical-rl">
          right, %
        </text>
      </svg>
      <figcaption className="text-[0.9rem] text-ink-3">
        Larger dots stand for more records. Below the dashed line it claims more than it knows.
      </figcaption>
    </figure>
  );
}
