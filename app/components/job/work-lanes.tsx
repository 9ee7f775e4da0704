"use client";
/**
 * The job as lanes: every line is a stretch of its units, thick where a result was accepted, fine where donors have it, and a
 * hairline where it waits. Rows are primes of batches or stretches of records (lib/coordinator/jobs/strip.ts).
 */
import { useMemo } from "react";
import { type JobWork, STRIP_CELLS, type StripRow } from "#lib/protocol/api/job-work.ts";
import type { Pen } from "../example/lane-pen.ts";
import { useCanvas } from "../example/use-canvas.ts";

/** Few rows are wrapped, so that there are lines to look at. */
const LINES_WANTED = 24;
/** Where all is done there is less to see. */
const LINES_AT_REST = 14;

interface Line {
  readonly row: StripRow;
  readonly from: number;
  readonly to: number;
  /** The first line of its row. */
  readonly first: boolean;
}

export function WorkLanes({
  rows,
  progress,
  label,
  className = "",
}: {
  rows: JobWork["rows"];
  progress: number;
  label: string;
  className?: string;
}) {
  const wanted = progress >= 1 ? LINES_AT_REST : LINES_WANTED;
  const lines = useMemo(() => wrap(rows, wanted), [rows, wanted]);
  const canvas = useCanvas((pen) => draw(pen, lines), false);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuenow={Math.floor(100 * progress)}
      aria-valuemin={0}
      aria-valuemax={100}
      className={className}
    >
      <canvas ref={canvas} className="block size-full" />
    </div>
  );
}

function wrap(rows: JobWork["rows"], wanted: number): Line[] {
  const parts = rows.length === 0 ? 1 : Math.max(1, Math.ceil(wanted / rows.length));
  return rows.flatMap((row) =>
    Array.from({ length: parts }, (_, part) => ({
      row,
      from: Math.floor((STRIP_CELLS * part) / parts),
      to: Math.floor((STRIP_CELLS * (part + 1)) / parts),
      first: part === 0,
    })),
  );
}

function draw(pen: Pen, lines: readonly Line[]): void {
  const { width, height, color } = pen;
  const [hairline, accent, quiet] = [color("--line-strong"), color("--accent"), color("--accent-quiet")];
  if (lines.length === 0) {
    const pitch = height / LINES_WANTED;
    for (let line = 0; line < LINES_WANTED; line++) {
      hair(pen, (line + 0.5) * pitch, hairline);
    }
    return;
  }
  const pitch = height / lines.length;
  lines.forEach(({ row, from, to }, index) => {
    const y = (index + 0.5) * pitch;
    const cell = width / (to - from);
    hair(pen, y, hairline);
    for (let at = from; at < to; at++) {
      const x = (at - from) * cell;
      const done = row.accepted[at] ?? 0;
      const leased = row.leased[at] ?? 0;
      const thick = Math.min(pitch * 0.62, 9);
      if (done > 0) bar(pen, x, y, cell, done, thick, accent);
      if (leased > 0) bar(pen, x + cell * done, y, cell, leased, Math.min(thick, Math.max(2, thick * 0.5)), quiet);
    }
  });
}

function hair({ context, width }: Pen, y: number, color: string): void {
  context.fillStyle = color;
  context.fillRect(0, y - 0.35, width, 0.7);
}

function bar({ context }: Pen, x: number, y: number, cell: number, share: number, thick: number, color: string): void {
  context.fillStyle = color;
  // Half a pixel over the edge: neighbours that are both full show no seam.
  context.fillRect(x, y - thick / 2, cell * share + (share > 0.999 ? 0.5 : 0), thick);
}
