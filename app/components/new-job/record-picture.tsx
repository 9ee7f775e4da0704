"use client";
/** A record that is a grey picture, drawn from the values that the model will read. */
import { useEffect, useRef } from "react";
import type { PreviewRecord } from "#lib/protocol/datasets.ts";

type RecordArray = PreviewRecord["arrays"][number];

/** Sides that a picture may have; flat records of a square number of values are taken for square pictures from here on. */
const SIDES = { least: 4, most: 64, flatLeast: 16 };

/** Height and width when the values are a whole grey picture; null for everything else. */
export function pictureSides({
  shape,
  values,
}: Pick<RecordArray, "shape" | "values">): readonly [number, number] | null {
  const sides = shape.filter((axis) => axis !== 1);
  const [height = 0, width = 0] = sides;
  if (sides.length === 2 && height * width === values.length) {
    return sides.every((side) => side >= SIDES.least && side <= SIDES.most) ? [height, width] : null;
  }
  const root = Math.sqrt(values.length);
  const flat = sides.length === 1 && height === values.length;
  return flat && Number.isInteger(root) && root >= SIDES.flatLeast && root <= SIDES.most ? [root, root] : null;
}

export function RecordPicture({
  sides,
  values,
  label,
  className = "size-24",
}: {
  sides: readonly [number, number];
  values: readonly (number | null)[];
  label: string;
  className?: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [height, width] = sides;

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    const numbers = values.map((value) => value ?? 0);
    const low = Math.min(...numbers);
    const high = Math.max(...numbers, low + 1e-9);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const grey = (255 * ((numbers[pixel] ?? low) - low)) / (high - low);
      image.data.set([grey, grey, grey, 255], 4 * pixel);
    }
    context.putImageData(image, 0, 0);
  }, [values, width, height]);

  return (
    <canvas
      ref={canvas}
      width={width}
      height={height}
      role="img"
      aria-label={label}
      className={`rounded-sm border border-line [image-rendering:pixelated] ${className}`}
    />
  );
}

/** The first records as small pictures; nothing where they are none. */
export function RecordStrip({ preview }: { preview: readonly PreviewRecord[] }) {
  const pictures = preview.flatMap((record) => {
    const array = record.arrays[0];
    const sides = array ? pictureSides(array) : null;
    return array && sides ? [{ record, array, sides }] : [];
  });
  if (pictures.length === 0) return null;
  return (
    <ul className="mt-3 flex flex-wrap gap-2.5">
      {pictures.map(({ record, array, sides }) => (
        <li key={record.record}>
          <RecordPicture sides={sides} values={array.values} label={`Record ${record.id}`} className="size-16" />
          <span className="number mt-0.5 block text-center text-[0.8rem] text-ink-3">{record.label ?? record.id}</span>
        </li>
      ))}
    </ul>
  );
}
