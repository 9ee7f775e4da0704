"use client";
/** What the work of this tab amounts to: a small history, an energy estimate with its assumption, and the next milestone. */
import { useEffect, useRef, useState } from "react";
import type { DonorView } from "#worker/host/donor.ts";
import { formatCount, formatSi } from "./format.ts";

/** A busy core of a laptop or desktop draws about this much more than an idle one. */
const WATTS_PER_CORE = 8;
const MILESTONES = [1, 10, 50, 100, 500, 1_000, 5_000, 10_000, 100_000];
const HISTORY_POINTS = 60;
const HISTORY_EVERY_MS = 2_000;

export function Effort({ view }: { view: DonorView }) {
  const history = useHistory(view.unitsPerSecond);
  const { microtasksAccepted, computeMs } = view.totals;
  const threads = Math.max(1, ...(view.capability?.runtimes.map((runtime) => runtime.threads) ?? []));
  const wattHours = (computeMs / 3_600_000) * threads * WATTS_PER_CORE;
  const next = MILESTONES.find((milestone) => milestone > microtasksAccepted);
  const reached = MILESTONES.findLast((milestone) => milestone <= microtasksAccepted);
  return (
    <div className="mt-5 grid gap-x-8 gap-y-5 sm:grid-cols-2">
      <figure>
        <Spark values={history} />
        <figcaption className="mt-1 text-[0.88rem] text-ink-3">
          Rate over the last two minutes, at most {formatSi(Math.max(0, ...history))}/s
        </figcaption>
      </figure>
      <div className="text-[0.95rem]">
        <p>
          About <span className="number">{wattHours.toFixed(wattHours < 1 ? 3 : 1)}</span> Wh.{" "}
          <span className="text-ink-3">
            Assumed: {WATTS_PER_CORE} W for each of {threads} busy {threads === 1 ? "core" : "cores"}; nothing was
            measured.
          </span>
        </p>
        <p className="mt-2">
          {reached ? `Reached: ${formatCount(reached)} verified. ` : ""}
          {next ? `Next: ${formatCount(next)}.` : ""}
        </p>
      </div>
    </div>
  );
}

function useHistory(value: number): readonly number[] {
  const latest = useRef(value);
  latest.current = value;
  const [history, setHistory] = useState<readonly number[]>([]);
  useEffect(() => {
    const timer = setInterval(
      () => setHistory((before) => [...before, latest.current].slice(-HISTORY_POINTS)),
      HISTORY_EVERY_MS,
    );
    return () => clearInterval(timer);
  }, []);
  return history;
}

function Spark({ values }: { values: readonly number[] }) {
  const most = Math.max(1e-9, ...values);
  const bar = 100 / HISTORY_POINTS;
  return (
    <svg className="h-14 w-full" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
      <rect x="0" y="19.6" width="100" height="0.4" fill="var(--line-strong)" />
      {values.map((value, index) => {
        const height = (19 * value) / most;
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place
            key={index}
            x={(index + HISTORY_POINTS - values.length) * bar}
            y={19.6 - height}
            width={bar * 0.6}
            height={height}
            fill="var(--accent)"
          />
        );
      })}
    </svg>
  );
}
