"use client";
/** The picture with the key, one of its lanes without: the edge between them is moved by hand. */
import { useId, useMemo, useState } from "react";
import { EXAMPLE, exampleLanes, examplePicture } from "../example/example.ts";
import { drawLane, type Pen, rowOf } from "../example/lane-pen.ts";
import { useCanvas } from "../example/use-canvas.ts";

export function KeySlider() {
  const id = useId();
  const [share, setShare] = useState(0.5);
  const [lane, setLane] = useState(0);
  const picture = useMemo(examplePicture, []);
  const lanes = useMemo(exampleLanes, []);
  const canvas = useCanvas((pen) => draw(pen, share, picture, lanes[lane] ?? picture), false);
  return (
    <figure className="rounded-lg border border-line bg-raised p-5 sm:p-6">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`A handwritten ${EXAMPLE.label}: its left part as a picture, its right part as the noise that a donor gets`}
        className="mx-auto block aspect-square w-full max-w-[25rem]"
      />
      <div className="mx-auto mt-4 max-w-[25rem]">
        <label htmlFor={id} className="flex justify-between text-[0.95rem]">
          <span className="font-[560]">The key</span>
          <span className="text-ink-3">
            {share > 0.97 ? "you see all of it" : share < 0.03 ? "a donor’s view" : "drag it"}
          </span>
        </label>
        <input
          id={id}
          type="range"
          min={0}
          max={1}
          step={0.01}
          value={share}
          aria-valuetext={`${Math.round(100 * share)} % of the picture decrypted`}
          onChange={(event) => setShare(event.target.valueAsNumber)}
          className="mt-1 h-8 w-full accent-accent"
        />
        <fieldset className="mt-2 flex flex-wrap items-center gap-1.5">
          <legend className="float-left mr-2 text-[0.95rem] text-ink-2">Lane</legend>
          {lanes.map((_, index) => (
            <button
              // biome-ignore lint/suspicious/noArrayIndexKey: a lane is its place
              key={index}
              type="button"
              aria-pressed={index === lane}
              onClick={() => setLane(index)}
              className="number size-9 rounded-md border border-line-strong text-[0.9rem] hover:border-ink aria-pressed:border-accent aria-pressed:bg-accent aria-pressed:text-on-accent"
            >
              {index}
            </button>
          ))}
        </fieldset>
      </div>
    </figure>
  );
}

function draw(pen: Pen, share: number, picture: Uint8Array, noise: Uint8Array): void {
  const { side } = EXAMPLE;
  const { width, height, color, context } = pen;
  const pitch = height / side;
  const edge = width * share;
  for (let row = 0; row < side; row++) {
    const y = (row + 0.5) * pitch;
    const plain = rowOf(picture, side, row);
    const sent = rowOf(noise, side, row);
    drawLane(pen, y, pitch, { from: 0, to: edge, thickness: (x) => 0.03 + 0.92 * plain(x / width) }, color("--ink"), 1);
    drawLane(
      pen,
      y,
      pitch,
      { from: edge, to: width, thickness: (x) => 0.06 + 0.72 * sent(x / width) },
      color("--ink-3"),
      1,
    );
  }
  if (share <= 0 || share >= 1) return;
  context.fillStyle = color("--accent");
  context.fillRect(edge - 1, 0, 2, height);
}
