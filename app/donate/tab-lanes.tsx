"use client";
/**
 * The work of this tab, as lanes: each microtask takes the next line, which fills while it computes and stays full when
 * the coordinator has accepted it.
 */
import { useRef } from "react";
import type { DonorView } from "#worker/host/donor.ts";

const LANES = 32;

interface Lane {
  id: string;
  /** 0..1 */
  fill: number;
  tone: "computing" | "sending" | "accepted" | "refused" | "empty";
}

const COLOUR: Record<Lane["tone"], string> = {
  computing: "var(--accent)",
  sending: "var(--accent)",
  accepted: "var(--good)",
  refused: "var(--bad)",
  empty: "var(--line)",
};

export function TabLanes({ view, className = "" }: { view: DonorView; className?: string }) {
  const lanes = useLanes(view);
  return (
    <svg className={className} viewBox={`0 0 100 ${LANES}`} preserveAspectRatio="none" aria-hidden="true">
      {lanes.map((lane, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a lane is its place
        <g key={row}>
          <rect x="0" y={row + 0.44} width="100" height="0.12" fill="var(--line)" />
          <rect
            className="tab-lane"
            x="0"
            y={row + (lane.tone === "sending" || lane.tone === "computing" ? 0.26 : 0.34)}
            width="100"
            height={lane.tone === "sending" || lane.tone === "computing" ? 0.48 : 0.32}
            fill={COLOUR[lane.tone]}
            style={{ transform: `scaleX(${lane.fill.toFixed(3)})` }}
          />
        </g>
      ))}
    </svg>
  );
}

/** Lanes are taken in turn, so the picture writes itself from top to bottom and over again. */
function useLanes(view: DonorView): readonly Lane[] {
  const state = useRef<{ lanes: Lane[]; next: number; seen: DonorView | null }>({
    lanes: emptyLanes(),
    next: 0,
    seen: null,
  });
  const memory = state.current;
  if (memory.seen === view) return memory.lanes;
  memory.seen = view;

  const laneOf = (id: string): Lane | undefined => memory.lanes.find((lane) => lane.id === id);
  for (const held of view.held) {
    if (held.state === "waiting") continue;
    const lane = laneOf(held.id) ?? take(memory, held.id);
    lane.tone = held.state;
    // A microtask of one piece tells nothing on its way: half is neither a lie nor a standstill.
    lane.fill = Math.max(lane.fill, held.state === "sending" ? 1 : Math.max(0.04, held.unitsDone / held.units));
  }
  for (const { id, verdict } of [...view.finished].reverse()) {
    const lane = laneOf(id) ?? (verdict === "accepted" ? take(memory, id) : undefined);
    if (!lane) continue;
    lane.tone = verdict === "given-back" ? "empty" : verdict;
    lane.fill = verdict === "given-back" ? 0 : 1;
  }
  return memory.lanes;
}

function take(memory: { lanes: Lane[]; next: number }, id: string): Lane {
  const lane: Lane = { id, fill: 0, tone: "empty" };
  memory.lanes = memory.lanes.map((old, row) => (row === memory.next ? lane : old));
  memory.next = (memory.next + 1) % LANES;
  return lane;
}

function emptyLanes(): Lane[] {
  return Array.from({ length: LANES }, () => ({ id: "", fill: 0, tone: "empty" }));
}
