"use client";
/**
 * Verified microtasks on their way in, over the world map: dots that fly from where they were computed, a few for many, drawn only as
 * long as they fly. Nothing moves for who asked for less motion; the sum is said in words to everybody, below.
 */
import { useEffect, useRef } from "react";
import type { RecentWork } from "#lib/protocol/api/donors.ts";
import type { LaneMap } from "../components/map/lane-map.ts";
import { middleOf, type Point, startsOf } from "./flight-plan.ts";

/** In flight at once, at most: they are drawn by the page that somebody reads. */
const MOST_DOTS = 14;
const FLIGHT_MS = 1_600;
const SVG = "http://www.w3.org/2000/svg";

export function Flights({ map, recent }: { map: LaneMap; recent: RecentWork }) {
  const layer = useRef<SVGSVGElement>(null);
  useEffect(() => {
    const svg = layer.current;
    if (!svg || matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) return;
    const home: Point = [map.width / 2, map.height];
    const starts = startsOf(recent.countries, MOST_DOTS);
    const flying = starts.flatMap((country, i) => {
      const from = middleOf(map.countries[country] ?? "");
      return from ? [fly(svg, from, home, (i * recent.seconds * 1_000) / starts.length)] : [];
    });
    return () => {
      for (const stop of flying) stop();
    };
  }, [map, recent]);
  return (
    <svg
      ref={layer}
      viewBox={`0 0 ${map.width} ${map.height}`}
      aria-hidden="true"
      data-flights=""
      className="pointer-events-none absolute inset-0 h-full w-full"
    />
  );
}

/** @returns ends it early */
function fly(svg: SVGSVGElement, [x, y]: Point, [homeX, homeY]: Point, delay: number): () => void {
  const dot = document.createElementNS(SVG, "circle");
  dot.setAttribute("r", "4");
  dot.setAttribute("fill", "var(--good)");
  svg.append(dot);
  const flight = dot.animate(
    [
      { transform: `translate(${x}px, ${y}px)`, opacity: 0 },
      { transform: `translate(${x}px, ${y}px)`, opacity: 1, offset: 0.15 },
      { transform: `translate(${homeX}px, ${homeY}px)`, opacity: 0 },
    ],
    { duration: FLIGHT_MS, delay, easing: "ease-in", fill: "both" },
  );
  const end = () => dot.remove();
  flight.finished.then(end, end);
  return () => flight.cancel();
}
