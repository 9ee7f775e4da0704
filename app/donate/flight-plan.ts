/** From where dots fly, and how many from each country. */
import type { RecentWork } from "#lib/protocol/api/donors.ts";

export type Point = readonly [x: number, y: number];

/**
 * Countries, one for each dot: as many as there are microtasks, up to `most`, shared out in proportion (largest remainders), mixed so that
 * countries take turns.
 */
export function startsOf(countries: RecentWork["countries"], most: number): string[] {
  const total = countries.reduce((sum, { microtasks }) => sum + microtasks, 0);
  const dots = Math.min(most, total);
  const shares = countries.map(({ country, microtasks }) => {
    const exact = (dots * microtasks) / Math.max(1, total);
    return { country, count: Math.floor(exact), rest: exact - Math.floor(exact) };
  });
  let left = dots - shares.reduce((sum, { count }) => sum + count, 0);
  for (const share of shares.toSorted((a, b) => b.rest - a.rest)) {
    if (left <= 0) break;
    share.count++;
    left--;
  }
  return shares
    .flatMap(({ country, count }) => Array.from({ length: count }, (_, i) => ({ country, at: (i + 0.5) / count })))
    .sort((a, b) => a.at - b.at)
    .map(({ country }) => country);
}

/** The middle of a country's strokes (`M x y h length …`), by their length; null where it has none. */
export function middleOf(strokes: string): Point | null {
  let [x, y, weight] = [0, 0, 0];
  for (const [, from, at, length] of strokes.matchAll(/M(-?[\d.]+) (-?[\d.]+)h([\d.]+)/g)) {
    const long = Number(length);
    x += (Number(from) + long / 2) * long;
    y += Number(at) * long;
    weight += long;
  }
  return weight > 0 ? [x / weight, y / weight] : null;
}
