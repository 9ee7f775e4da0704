"use client";
/** A drawn digit beside as many uniform random bytes: what its owner sees, and what a donor is sent. */
import { useEffect, useRef } from "react";

const SIDE = 28;

export function NoiseBesidePicture() {
  const picture = useRef<HTMLCanvasElement>(null);
  const noise = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const plain = picture.current?.getContext("2d");
    if (plain) {
      plain.fillStyle = "#000";
      plain.fillRect(0, 0, SIDE, SIDE);
      plain.strokeStyle = "#fff";
      plain.lineWidth = 2.6;
      plain.lineCap = "round";
      plain.beginPath();
      plain.moveTo(8, 7);
      plain.bezierCurveTo(16, 3, 21, 7, 18, 12);
      plain.bezierCurveTo(16, 14, 13, 14, 12, 14);
      plain.bezierCurveTo(20, 14, 22, 20, 17, 23);
      plain.bezierCurveTo(13, 25, 9, 24, 7, 22);
      plain.stroke();
    }
    const sent = noise.current?.getContext("2d");
    if (sent) {
      const image = sent.createImageData(SIDE, SIDE);
      const bytes = crypto.getRandomValues(new Uint8Array(SIDE * SIDE));
      bytes.forEach((grey, pixel) => {
        image.data.set([grey, grey, grey, 255], 4 * pixel);
      });
      sent.putImageData(image, 0, 0);
    }
  }, []);

  const look = "size-40 rounded-sm border border-line [image-rendering:pixelated] sm:size-48";
  return (
    <div className="mt-5 flex flex-wrap gap-6">
      <figure>
        <canvas ref={picture} width={SIDE} height={SIDE} role="img" aria-label="A handwritten three" className={look} />
        <figcaption className="mt-1.5 text-[0.92rem] text-ink-3">the owner’s record</figcaption>
      </figure>
      <figure>
        <canvas ref={noise} width={SIDE} height={SIDE} role="img" aria-label="Even grey noise" className={look} />
        <figcaption className="mt-1.5 text-[0.92rem] text-ink-3">the donor’s bytes</figcaption>
      </figure>
    </div>
  );
}
