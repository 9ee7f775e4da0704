/**
 * The one visual idea of Flux: fine parallel lines that fill as work is done. Used as progress, as the logo and as the
 * loading state. Works without JavaScript; moves by CSS transitions only, and not at all for those who asked for less.
 */
import type { CSSProperties } from "react";

export interface LanesProps {
  /** 0..1; lanes fill raggedly, as microtasks do, and all are full exactly at 1. */
  readonly progress: number;
  readonly lanes?: number;
  /** Drifts gently: for decoration and for loading of unknown length. */
  readonly drifting?: boolean;
  readonly className?: string;
  /** What a screen reader says; decoration when left out. */
  readonly label?: string;
}

/** How far the first lane may run ahead of the last, as a share of the whole. */
const RAGGEDNESS = 0.4;

export function Lanes({ progress, lanes = 24, drifting = false, className = "", label }: LanesProps) {
  const rows = Array.from({ length: lanes }, (_, lane) => lane);
  const percent = Math.round(progress * 100);
  const accessibility = label
    ? { role: "progressbar", "aria-label": label, "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100 }
    : { "aria-hidden": true };
  return (
    <div className={`overflow-hidden ${drifting ? "lane-drift" : ""} ${className}`} {...accessibility}>
      <svg width="100%" height="100%" viewBox={`0 0 100 ${lanes}`} preserveAspectRatio="none" aria-hidden="true">
        {rows.map((lane) => (
          <g key={lane}>
            <rect x="0" y={lane + 0.44} width="100" height="0.12" fill="var(--line)" />
            <rect
              className="lane-fill"
              x="0"
              y={lane + 0.31}
              width="100"
              height="0.38"
              fill="var(--accent)"
              style={laneStyle(lane, laneFill(progress, lane))}
            />
          </g>
        ))}
      </svg>
    </div>
  );
}

/** How full a lane is, 0..1, when the whole is. */
export function laneFill(progress: number, lane: number): number {
  const head = progress * (1 + RAGGEDNESS) - RAGGEDNESS * offset(lane);
  return Math.min(1, Math.max(0, head));
}

/** A fixed scatter in [0, 1): the golden ratio's multiples never bunch up. */
function offset(lane: number): number {
  return (lane * 0.6180339887) % 1;
}

function laneStyle(lane: number, fill: number): CSSProperties {
  const reach = (0.35 + 0.65 * offset(lane + 3)).toFixed(3);
  return { transform: `scaleX(${fill.toFixed(4)})`, "--lane": lane, "--reach": reach } as CSSProperties;
}
