"use client";
/**
 * Flux in one picture, left to right: a record drawn as lanes, the noise that donors get of it (real ciphertext), the tabs
 * that compute on it, and the answer after decryption.
 */
import { useMemo } from "react";
import { EXAMPLE, exampleLanes, examplePicture } from "../example/example.ts";
import { drawLane, type Pen, ramp, rowOf } from "../example/lane-pen.ts";
import { useCanvas } from "../example/use-canvas.ts";

/** Where things stand, as shares of the width. */
const PLACES = {
  picture: 0.25,
  noise: 0.33,
  tabs: [0.4, 0.52, 0.64],
  tabEnd: 0.735,
  decrypt: 0.77,
  answer: 0.835,
} as const;
/** A tab's share of the width, and the rows that it was lent: a microtask is a run of lanes. */
const TABS = [
  { at: PLACES.tabs[0], rows: [0, 11] },
  { at: PLACES.tabs[1], rows: [8, 20] },
  { at: PLACES.tabs[2], rows: [17, 28] },
] as const;
const TAB_WIDTH = 0.1;
/** Seconds for one filling of the tabs' lanes. */
const CYCLE = 9;

export function HeroLanes({ className = "" }: { className?: string }) {
  const picture = useMemo(examplePicture, []);
  const noise = useMemo(exampleLanes, []);
  const canvas = useCanvas((pen, seconds) => draw(pen, seconds, picture, noise), true);
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={`A handwritten ${EXAMPLE.label}, drawn as parallel lines, turns into noise, passes through three browser tabs, and comes out as the answer ${EXAMPLE.label}`}
      className={`block w-full ${className}`}
    />
  );
}

function draw(pen: Pen, seconds: number, picture: Uint8Array, noise: readonly Uint8Array[]): void {
  const { side } = EXAMPLE;
  const { width, height, color } = pen;
  const pitch = height / side;
  const ink = color("--ink");
  const quiet = color("--ink-3");
  const at = (share: number) => share * width;
  // The picture keeps its proportions.
  const pictureWidth = Math.min(at(PLACES.picture), height * 1.05);
  const noiseAt = at(PLACES.noise);
  const period = side * pitch * 0.62;
  for (let row = 0; row < side; row++) {
    const y = (row + 0.5) * pitch;
    const ownRow = rowOf(picture, side, row);
    const noiseRows = noise.map((lane) => rowOf(lane, side, row));
    const noiseThickness = (x: number) => {
      const place = ((((x - seconds * 9) / period) % noise.length) + noise.length) % noise.length;
      const lane = Math.floor(place);
      const own = noiseRows[lane]?.(place % 1) ?? 0;
      const next = noiseRows[(lane + 1) % noise.length]?.(0) ?? 0;
      // One ciphertext flows into the next.
      return 0.06 + 0.7 * (own + (next - own) * ramp(place % 1, 0.965, 1));
    };
    const plain = (x: number) => 0.03 + 0.92 * ownRow(x / pictureWidth);
    drawLane(pen, y, pitch, { from: 0, to: pictureWidth, thickness: plain }, ink, 1);
    drawLane(
      pen,
      y,
      pitch,
      {
        from: pictureWidth,
        to: at(PLACES.decrypt),
        thickness: (x) => 0.03 + (noiseThickness(x) - 0.03) * ramp(x, pictureWidth + 4, noiseAt),
      },
      quiet,
    );
    drawAnswer(pen, row, y, pitch, noiseThickness);
  }
  for (const [index, tab] of TABS.entries()) drawTab(pen, tab, index, seconds, pitch, noise);
}

/** Ten of the rows end as the ten classes; how far each reaches is what the model said. */
function drawAnswer(pen: Pen, row: number, y: number, pitch: number, noiseThickness: (x: number) => number): void {
  const { width, context, color } = pen;
  const from = width * PLACES.decrypt - 1;
  const start = width * PLACES.answer;
  const classOfRow = row >= 4 && row < 24 && row % 2 === 0 ? (row - 4) / 2 : -1;
  drawLane(
    pen,
    y,
    pitch,
    { from, to: start, thickness: (x) => 0.03 + (noiseThickness(x) - 0.03) * (1 - ramp(x, from, start - 6)) },
    color("--ink-3"),
  );
  if (classOfRow < 0) return;
  const scores = EXAMPLE.answer;
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const share = ((scores[classOfRow] ?? low) - low) / (high - low);
  const label = 18;
  const room = width - start - label;
  const chosen = share === 1;
  drawLane(
    pen,
    y,
    pitch,
    { from: start, to: start + Math.max(3, room * share), thickness: () => 0.9 },
    color(chosen ? "--accent" : "--line-strong"),
  );
  context.fillStyle = color(chosen ? "--accent" : "--ink-3");
  context.font = `${chosen ? 600 : 400} ${Math.max(11, Math.min(15, pitch * 1.5))}px ${color("--font-mono-now") || "monospace"}`;
  context.textBaseline = "middle";
  context.fillText(String(classOfRow), start + Math.max(3, room * share) + 6, y + 0.5);
}

function drawTab(
  pen: Pen,
  { at, rows }: (typeof TABS)[number],
  index: number,
  seconds: number,
  pitch: number,
  noise: readonly Uint8Array[],
): void {
  const { context, width, color } = pen;
  const [x, w] = [at * width, TAB_WIDTH * width];
  const [top, bottom] = [rows[0] * pitch, rows[1] * pitch];
  const bar = Math.min(12, pitch * 1.1);
  const half = 2;
  context.fillStyle = color("--raised");
  context.strokeStyle = color("--ink");
  context.lineWidth = 1.25;
  context.beginPath();
  context.roundRect(x, top + half, w, bottom - top - 2 * half, 4);
  context.fill();
  context.save();
  context.clip();
  const inside = rows[1] - rows[0] - 2;
  for (let line = 0; line < inside; line++) {
    const row = rows[0] + 1.5 + line;
    const y = row * pitch + bar / 3;
    const progress = ((seconds + index * 2.3) % CYCLE) / (CYCLE * 0.72) - 0.12 * ((line * 0.618) % 1);
    // Where nothing moves, the tabs stand at different places.
    const share =
      seconds === 0 ? [0.35, 0.8, 0.55][index]! - 0.2 * ((line * 0.618) % 1) : Math.min(1, Math.max(0, progress));
    const own = rowOf(noise[(index + 3) % noise.length]!, EXAMPLE.side, Math.floor(row) % EXAMPLE.side);
    const left = x + 7;
    const right = x + w - 7;
    const middle = left + (right - left) * share;
    drawLane(
      pen,
      y,
      pitch,
      { from: left, to: right, thickness: (px) => 0.06 + 0.4 * own((px - left) / (right - left)) },
      color("--line-strong"),
    );
    drawLane(
      pen,
      y,
      pitch,
      { from: left, to: middle, thickness: (px) => 0.1 + 0.62 * own((px - left) / (right - left)) },
      color("--accent"),
    );
  }
  context.restore();
  context.beginPath();
  context.roundRect(x, top + half, w, bottom - top - 2 * half, 4);
  context.moveTo(x, top + half + bar);
  context.lineTo(x + w, top + half + bar);
  context.stroke();
  context.fillStyle = color("--ink");
  for (let dot = 0; dot < 3; dot++) {
    context.beginPath();
    context.arc(x + 7 + dot * 5, top + half + bar / 2, 1.3, 0, 2 * Math.PI);
    context.fill();
  }
}
