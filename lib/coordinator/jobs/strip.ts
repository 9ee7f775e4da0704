/**
 * The microtask strip: a job's units as rows of cells. A row is one prime of one batch (a run of lanes); public data, which
 * has one long row, is wrapped so that it reads like text. Pure arithmetic.
 */
import { STRIP_CELLS, STRIP_ROWS, type StripRow } from "#lib/protocol/api/job-work.ts";

export interface StripShape {
  /** Batches by number: how many primes and units each has. */
  readonly batches: readonly { readonly batch: number; readonly primes: number; readonly unitsPerPrime: number }[];
}

export interface StripRange {
  readonly batch: number;
  readonly prime: number;
  readonly unitStart: number;
  readonly unitCount: number;
}

/** Rows that one long row of records becomes. */
const RECORD_ROWS = 16;

interface Track {
  readonly label: string;
  /** Where its units begin in the row of all units. */
  readonly start: number;
  readonly end: number;
}

/** @returns at most STRIP_ROWS rows of STRIP_CELLS cells, each with the share of its units that is accepted or leased */
export function strip(shape: StripShape, accepted: readonly StripRange[], leased: readonly StripRange[]): StripRow[] {
  const { tracks, offsets } = tracksOf(shape);
  const rows = tracks.map(({ label }) => ({ label, accepted: zeros(), leased: zeros() }));
  const fill = (ranges: readonly StripRange[], which: "accepted" | "leased") => {
    for (const range of ranges) {
      const offset = offsets.get(key(range.batch, range.prime));
      if (offset === undefined) continue;
      const start = offset + range.unitStart;
      spread(tracks, rows, which, start, start + range.unitCount);
    }
  };
  fill(accepted, "accepted");
  fill(leased, "leased");
  return rows;
}

/** Every prime of every batch lies end to end; rows cut that line into pieces. */
function tracksOf({ batches }: StripShape): { tracks: Track[]; offsets: Map<string, number> } {
  const offsets = new Map<string, number>();
  const own: Track[] = [];
  let at = 0;
  const oneBatch = batches.length === 1;
  for (const { batch, primes, unitsPerPrime } of batches) {
    for (let prime = 0; prime < primes; prime++) {
      offsets.set(key(batch, prime), at);
      const label = oneBatch ? `Prime ${prime + 1}` : `Batch ${batch + 1}, prime ${prime + 1}`;
      own.push({ label, start: at, end: at + unitsPerPrime });
      at += unitsPerPrime;
    }
  }
  if (at === 0) return { tracks: [], offsets };
  const [only] = own;
  if (own.length === 1 && only) return { tracks: cut(only, Math.min(RECORD_ROWS, only.end)), offsets };
  return { tracks: joined(own), offsets };
}

function cut({ start, end }: Track, pieces: number): Track[] {
  return Array.from({ length: pieces }, (_, piece) => {
    const from = start + Math.floor(((end - start) * piece) / pieces);
    const to = start + Math.floor(((end - start) * (piece + 1)) / pieces);
    return { label: to - from === 1 ? `Record ${from}` : `Records ${from} to ${to - 1}`, start: from, end: to };
  });
}

function joined(tracks: readonly Track[]): Track[] {
  const together = Math.ceil(tracks.length / STRIP_ROWS);
  if (together === 1) return [...tracks];
  const rows: Track[] = [];
  for (let at = 0; at < tracks.length; at += together) {
    const group = tracks.slice(at, at + together);
    const first = group[0]!;
    const last = group.at(-1)!;
    rows.push({
      label: group.length === 1 ? first.label : `${first.label} to ${last.label.toLowerCase()}`,
      start: first.start,
      end: last.end,
    });
  }
  return rows;
}

function spread(
  tracks: readonly Track[],
  rows: readonly StripRow[],
  which: "accepted" | "leased",
  start: number,
  end: number,
): void {
  for (let index = trackAt(tracks, start); index < tracks.length; index++) {
    const track = tracks[index]!;
    if (track.start >= end) return;
    const cells = rows[index]![which];
    const perCell = (track.end - track.start) / STRIP_CELLS;
    const from = (Math.max(start, track.start) - track.start) / perCell;
    const to = (Math.min(end, track.end) - track.start) / perCell;
    for (let cell = Math.floor(from); cell < Math.min(STRIP_CELLS, Math.ceil(to)); cell++) {
      const share = Math.min(to, cell + 1) - Math.max(from, cell);
      cells[cell] = Math.min(1, cells[cell]! + share);
    }
  }
}

/** The track that holds the unit, by halving. */
function trackAt(tracks: readonly Track[], unit: number): number {
  let low = 0;
  let high = tracks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tracks[middle]!.start <= unit) low = middle;
    else high = middle - 1;
  }
  return low;
}

function zeros(): number[] {
  return Array.from({ length: STRIP_CELLS }, () => 0);
}

function key(batch: number, prime: number): string {
  return `${batch}/${prime}`;
}
