"use client";
/** A canvas that is drawn again when its box, the theme or what it shows changes; in motion only where that is wanted. */
import { type RefObject, useEffect, useRef } from "react";
import { openPen, type Pen } from "./lane-pen.ts";

/** Enough for lines that drift; sparing of batteries. */
const FRAME_MS = 50;

/** @param draw gets seconds since the start; 0 and once where nothing moves */
export function useCanvas(
  draw: (pen: Pen, seconds: number) => void,
  moving: boolean,
): RefObject<HTMLCanvasElement | null> {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  const seconds = useRef(0);
  latest.current = draw;

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const calm = !moving || matchMedia("(prefers-reduced-motion: reduce)").matches;
    const paint = () => {
      const pen = openPen(element);
      if (pen) latest.current(pen, seconds.current);
    };
    const resized = new ResizeObserver(paint);
    resized.observe(element);
    const themed = new MutationObserver(paint);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    let timer: ReturnType<typeof setInterval> | undefined;
    const seen = new IntersectionObserver(([entry]) => {
      clearInterval(timer);
      if (calm || !entry?.isIntersecting) return;
      timer = setInterval(() => {
        if (document.hidden) return;
        seconds.current += FRAME_MS / 1000;
        paint();
      }, FRAME_MS);
    });
    seen.observe(element);
    return () => {
      clearInterval(timer);
      resized.disconnect();
      themed.disconnect();
      seen.disconnect();
    };
  }, [moving]);

  useEffect(() => {
    const pen = canvas.current && openPen(canvas.current);
    if (pen) latest.current(pen, seconds.current);
  });
  return canvas;
}
