"use client";
/** A record that is a grey picture, drawn from the values that the model will read. */
import { useEffect, useRef } from "react";

export function RecordPicture({
  shape,
  values,
  label,
}: {
  shape: readonly number[];
  values: readonly (number | null)[];
  label: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const sides = shape.filter((axis) => axis !== 1);
  const height = sides[0] ?? 1;
  const width = sides[1] ?? 1;

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
      className="size-24 rounded-sm border border-line [image-rendering:pixelated]"
    />
  );
}
