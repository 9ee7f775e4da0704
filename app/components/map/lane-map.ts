/**
 * The world as lanes: horizontal lines that stop at the coasts. Computed once on the server from the shapes of world-atlas, by
 * crossing every projected ring with every line (even-odd), so that a browser gets a few kilobytes of short strokes.
 */
import { geoCentroid, geoNaturalEarth1, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import atlas from "world-atlas/countries-50m.json";
import { z } from "zod";
import { lettersOf } from "./country-codes.ts";

export interface LaneMap {
  readonly width: number;
  readonly height: number;
  /** Distance between lines. */
  readonly pitch: number;
  /** Strokes of all land. */
  readonly land: string;
  /** Strokes by ISO 3166-1 alpha-2. */
  readonly countries: Readonly<Record<string, string>>;
}

const WIDTH = 960;
const LINES = 66;
const ANTARCTICA = "010";
/** What a country gets that lies between two lines. */
const DASH = 2.5;

type Point = readonly [x: number, y: number];
type Topology = Parameters<typeof feature>[0];
const Atlas = z.custom<Topology>((value) => z.looseObject({ type: z.literal("Topology") }).safeParse(value).success);
const Id = z.string().optional();

let kept: LaneMap | undefined;

export function laneMap(): LaneMap {
  kept ??= computeLaneMap();
  return kept;
}

function computeLaneMap(): LaneMap {
  const topology = Atlas.parse(atlas);
  const { countries: objects } = topology.objects;
  const all = objects && feature(topology, objects);
  if (!all || !("features" in all)) throw new Error("world-atlas has no countries");
  const shapes = all.features.filter(({ id }) => id !== ANTARCTICA);
  const projection = geoNaturalEarth1().fitWidth(WIDTH, { ...all, features: shapes });
  const [[, top], [, bottom]] = geoPath(projection).bounds({ ...all, features: shapes });
  const height = bottom - top;
  const pitch = height / LINES;
  const countries: Record<string, string> = {};
  let land = "";
  for (const shape of shapes) {
    const rings = ringsOf((context) => geoPath(projection, context)(shape));
    let strokes = strokesOf(rings, top, pitch);
    const letters = lettersOf(Id.parse(shape.id) ?? "");
    if (strokes === "" && letters) {
      const center = projection(geoCentroid(shape));
      if (center) strokes = `M${short(center[0] - DASH / 2)} ${short(center[1] - top)}h${DASH}`;
    }
    land += strokes;
    if (letters) countries[letters] = (countries[letters] ?? "") + strokes;
  }
  return { width: WIDTH, height: Math.round(height), pitch, land, countries };
}

/** Catches what d3 would draw. */
function ringsOf(draw: (context: CanvasLike) => void): Point[][] {
  const rings: Point[][] = [];
  draw({
    moveTo: (x, y) => rings.push([[x, y]]),
    lineTo: (x, y) => rings.at(-1)?.push([x, y]),
    closePath: () => undefined,
    arc: () => undefined,
    beginPath: () => undefined,
  });
  return rings;
}

interface CanvasLike {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  closePath(): void;
  arc(x: number, y: number, radius: number, start: number, end: number): void;
  beginPath(): void;
}

function strokesOf(rings: readonly (readonly Point[])[], top: number, pitch: number): string {
  let strokes = "";
  for (let line = 0; line < LINES; line++) {
    const y = top + (line + 0.5) * pitch;
    const crossings = rings.flatMap((ring) => crossingsOf(ring, y)).sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const [from, to] = [crossings[i]!, crossings[i + 1]!];
      if (to - from > 0.6) strokes += `M${short(from)} ${short(y - top)}h${short(to - from)}`;
    }
  }
  return strokes;
}

function crossingsOf(ring: readonly Point[], y: number): number[] {
  const crossings: number[] = [];
  for (let i = 0; i < ring.length; i++) {
    const [x0, y0] = ring[i]!;
    const [x1, y1] = ring[(i + 1) % ring.length]!;
    if (y0 > y !== y1 > y) crossings.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
  }
  return crossings;
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}
