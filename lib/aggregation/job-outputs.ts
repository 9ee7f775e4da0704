/**
 * A job's outputs before they are aggregated, read by ranges of records: what the coordinator has in its object store and a
 * submitter in memory look the same here. Every record has the same segments, `members × pieces` of them; a segment whose
 * microtask was given up is missing (NaN) and left out.
 */
import {
  type AggregationSet,
  guessOutputKind,
  type OutputKind,
  type Task,
  toLogProbabilities,
} from "./aggregation-set.ts";

import type { Piece } from "./pieces.ts";

export interface JobMember {
  readonly name: string;
  /** Of pieces of records `start … start+count−1`: `[count · pieces, width]`. */
  readonly read: (start: number, count: number) => Promise<Float32Array>;
  /** `[count · pieces]` how the same were computed, as precision.ts packs it. */
  readonly precision: (start: number, count: number) => Promise<Uint8Array>;
}

export interface JobOutputs {
  readonly records: number;
  /** Output values of a segment. */
  readonly width: number;
  readonly members: readonly JobMember[];
  readonly pieces: readonly Piece[];
}

/** How values become what reducers take: log-probabilities of what kind for each member, or values as they are. */
export type Reading =
  | { readonly task: "regression" }
  | { readonly task: "classification"; readonly kinds: readonly OutputKind[] };

/** Looks at the first records: probabilities, log-probabilities or logits, member by member. */
export async function readingOf(outputs: JobOutputs, task: Task): Promise<Reading> {
  if (task === "regression") return { task };
  const kinds: OutputKind[] = [];
  for (const member of outputs.members) {
    const rows = await member.read(0, Math.min(LOOKED_AT, outputs.records));
    const whole: number[] = [];
    for (let at = 0; at < rows.length; at += outputs.width) {
      const row = rows.subarray(at, at + outputs.width);
      if (!row.some(Number.isNaN)) whole.push(...row);
    }
    kinds.push(whole.length === 0 ? "logits" : guessOutputKind(whole, outputs.width));
  }
  return { task, kinds };
}

const LOOKED_AT = 256;

export interface ReadSet {
  readonly set: AggregationSet;
  /** `[set.records]` which of the records that were asked for have at least one segment. */
  readonly present: Int32Array;
}

/** The aggregation set of records `start … start+count−1`; those without any output are left out. */
export async function readSet(outputs: JobOutputs, reading: Reading, start: number, count: number): Promise<ReadSet> {
  const { members, pieces, width } = outputs;
  const values = await Promise.all(members.map((member) => member.read(start, count)));
  const precision = await Promise.all(members.map((member) => member.precision(start, count)));
  const has = (m: number, unit: number) => !values[m]!.subarray(unit * width, (unit + 1) * width).some(Number.isNaN);

  const offsets: number[] = [0];
  const present: number[] = [];
  const segments: { readonly m: number; readonly p: number; readonly unit: number }[] = [];
  for (let r = 0; r < count; r++) {
    const before = segments.length;
    for (let m = 0; m < members.length; m++) {
      for (let p = 0; p < pieces.length; p++) {
        const unit = r * pieces.length + p;
        if (has(m, unit)) segments.push({ m, p, unit });
      }
    }
    if (segments.length === before) continue;
    present.push(r);
    offsets.push(segments.length);
  }
  const set: AggregationSet = {
    task: reading.task,
    records: present.length,
    classes: width,
    members: members.length * pieces.length,
    offsets: Int32Array.from(offsets),
    outputs: new Float64Array(segments.length * width),
    member: Int32Array.from(segments, ({ m, p }) => m * pieces.length + p),
    position: Float64Array.from(segments.flatMap(({ p }) => [...pieces[p]!.position])),
    coverage: Float64Array.from(segments, ({ p }) => pieces[p]!.coverage),
    precisionClass: Uint8Array.from(segments, ({ m, unit }) => precision[m]![unit]!),
  };
  segments.forEach(({ m, unit }, s) => {
    const row = set.outputs.subarray(s * width, (s + 1) * width);
    row.set(values[m]!.subarray(unit * width, (unit + 1) * width));
    if (reading.task === "classification") toLogProbabilities(row, width, reading.kinds[m]!);
  });
  return { set, present: Int32Array.from(present) };
}

/** Sets of the same job, one after the other. */
export function joinSets(sets: readonly AggregationSet[]): AggregationSet {
  const [first] = sets;
  if (!first) throw new Error("there is nothing to join");
  const offsets = [0];
  for (const set of sets) {
    const base = offsets.at(-1)!;
    for (let r = 1; r <= set.records; r++) offsets.push(base + set.offsets[r]!);
  }
  return {
    task: first.task,
    records: offsets.length - 1,
    classes: first.classes,
    members: first.members,
    offsets: Int32Array.from(offsets),
    outputs: Float64Array.from(sets.flatMap(({ outputs }) => [...outputs])),
    member: Int32Array.from(sets.flatMap(({ member }) => [...member])),
    position: Float64Array.from(sets.flatMap(({ position }) => [...position])),
    coverage: Float64Array.from(sets.flatMap(({ coverage }) => [...coverage])),
    precisionClass: Uint8Array.from(sets.flatMap(({ precisionClass }) => [...precisionClass])),
  };
}

/** Every segment's output, member after member: `[count, members · pieces, width]`. */
export async function joinedOutputs(
  { members, pieces, width }: JobOutputs,
  start: number,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  const values = await Promise.all(members.map(({ read }) => read(start, count)));
  const row = pieces.length * width;
  const joined = new Float32Array(count * members.length * row);
  for (let r = 0; r < count; r++) {
    values.forEach((member, m) => {
      joined.set(member.subarray(r * row, (r + 1) * row), (r * members.length + m) * row);
    });
  }
  return joined;
}

/** What members and pieces are called, in the order of the set's member numbers. */
export function segmentNames({ members, pieces }: JobOutputs): string[] {
  return members.flatMap(({ name }) =>
    pieces.map((_, p) => {
      const piece = `piece ${p + 1} of ${pieces.length}`;
      if (pieces.length === 1) return name;
      return members.length === 1 ? piece.charAt(0).toUpperCase() + piece.slice(1) : `${name}, ${piece}`;
    }),
  );
}
