/**
 * The tasks of the benchmark. Every task trains small networks on some images and gives a reducer their outputs on others: no record
 * that a network was trained on is ever aggregated in the same task.
 */
import { type AggregationSet, fromMembers, type MemberOutputs } from "#lib/aggregation/aggregation-set.ts";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { normal, type Random, seeded, shuffled } from "#lib/aggregation/random.ts";
import { CLASSES, type Classifier, cutTiles, type Digits, SIDE, trainClassifier } from "./digits.ts";

export interface AggregationTask {
  readonly name: string;
  readonly set: AggregationSet;
  readonly labels: Float64Array;
}

/** Images `from … to − 1`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Split {
  /** For the networks. */
  readonly train: Range;
  /** For the reducers: some of them get labels, the others judge. */
  readonly aggregate: Range;
}

const PIXELS = SIDE * SIDE;
const TILE = 16;
const CORNERS = [0, SIDE - TILE];

/** (a) four overlapping corner tiles an image, one network for all of them. */
export async function tileTask(digits: Digits, name: string, { train, aggregate }: Split, seed: number) {
  const corners = CORNERS.flatMap((top) => CORNERS.map((left) => ({ top, left })));
  const parts = corners.map(({ top, left }) => cutTiles(digits, top, left, TILE, train.from, train.to));
  const labels = digits.labels.slice(train.from, train.to);
  const { inputs, targets } = interleave(parts, labels, TILE * TILE, seed);
  const classify = await trainClassifier(inputs, targets, TILE * TILE, 2, seed);
  const centre = (start: number) => (start + TILE / 2) / (SIDE / 2) - 1;
  const members = corners.map(
    ({ top, left }): MemberOutputs => ({
      outputs: classify(cutTiles(digits, top, left, TILE, aggregate.from, aggregate.to), aggregate.to - aggregate.from),
      position: [centre(left), centre(top)],
      coverage: (TILE * TILE) / PIXELS,
    }),
  );
  return taskOf(name, digits, aggregate, members);
}

/**
 * How a member is broken:
 * - `offset`: its normalisation was forgotten; every pixel that it reads is 1 brighter than what it was trained on
 * - `negative`: it reads the image inverted, white for black
 * - `moved`: it reads the image 6 pixels further right
 * - `renumbered`: its classes are off by one; where it means k, it says k + 1
 * - `reversed`: it says improbable for probable (p becomes 1/p, normalised)
 */
export type Breakage = "offset" | "negative" | "moved" | "renumbered" | "reversed" | null;

/** (b), (c) members that were trained on 300 images each, for five epochs. */
export async function memberTask(
  digits: Digits,
  name: string,
  { train, aggregate }: Split,
  breakages: readonly Breakage[],
  seed: number,
): Promise<AggregationTask> {
  const images = digits.images.slice(aggregate.from * PIXELS, aggregate.to * PIXELS);
  const members: MemberOutputs[] = [];
  for (const [m, breakage] of breakages.entries()) {
    const classify = await member(digits, train.from + m * 300, seed + 10 * m);
    const outputs = classify(brokenView(images, breakage), aggregate.to - aggregate.from);
    members.push({ outputs: brokenAnswers(outputs, breakage) });
  }
  return taskOf(name, digits, aggregate, members);
}

function member(digits: Digits, from: number, seed: number): Promise<Classifier> {
  const images = digits.images.slice(from * PIXELS, (from + 300) * PIXELS);
  return trainClassifier(images, digits.labels.slice(from, from + 300), PIXELS, 5, seed);
}

function brokenView(images: Float32Array, breakage: Breakage): Float32Array {
  switch (breakage) {
    case "offset":
      return images.map((value) => value + 1);
    case "negative":
      return images.map((value) => 1 - value);
    case "moved": {
      const moved = new Float32Array(images.length);
      for (let row = 0; row < images.length; row += SIDE) {
        moved.set(images.subarray(row, row + SIDE - 6), row + 6);
      }
      return moved;
    }
    default:
      return images;
  }
}

function brokenAnswers(outputs: Float32Array, breakage: Breakage): Float32Array {
  const broken = new Float32Array(outputs.length);
  for (let row = 0; row < outputs.length; row += CLASSES) {
    const p = outputs.subarray(row, row + CLASSES);
    const answer = broken.subarray(row, row + CLASSES);
    if (breakage === "renumbered") for (let c = 0; c < CLASSES; c++) answer[(c + 1) % CLASSES] = p[c] ?? 0;
    else if (breakage === "reversed") {
      const inverse = p.map((value) => 1 / Math.max(value, 1e-6));
      const sum = inverse.reduce((a, b) => a + b, 0);
      answer.set(inverse.map((value) => value / sum));
    } else answer.set(p);
  }
  return broken;
}

/** (d) windows of a generated signal: three kinds of wave that show for a part of the record only, in noise. */
export async function windowTask(name: string, records: number, seed: number): Promise<AggregationTask> {
  const classes = 3;
  const length = 128;
  const window = 32;
  const starts = [0, 16, 32, 48, 64, 80, 96];
  const make = (count: number, random: Random) => {
    const signals = new Float32Array(count * length);
    const labels = new Float64Array(count);
    for (let r = 0; r < count; r++) {
      const label = Math.floor(random() * classes);
      labels[r] = label;
      const begin = Math.floor(random() * (length - 48));
      const phase = random() * 2 * Math.PI;
      for (let t = 0; t < length; t++) {
        const inside = t >= begin && t < begin + 48;
        signals[r * length + t] = 0.9 * normal(random) + (inside ? wave(label, t, phase) : 0);
      }
    }
    return { signals, labels };
  };
  const cut = (signals: Float32Array, start: number, count: number) => {
    const cutOut = new Float32Array(count * window);
    for (let r = 0; r < count; r++)
      cutOut.set(signals.subarray(r * length + start, r * length + start + window), r * window);
    return cutOut;
  };
  const training = make(2_000, seeded(seed));
  const parts = starts.map((start) => cut(training.signals, start, 2_000));
  const { inputs, targets } = interleave(parts, training.labels, window, seed);
  const classify: Classifier = await trainClassifier(inputs, targets, window, 3, seed);
  const { signals, labels } = make(records, seeded(seed + 1));
  const members = starts.map((start): MemberOutputs => {
    const answers = classify(cut(signals, start, records), records);
    const three = new Float32Array(records * classes);
    for (let r = 0; r < records; r++) three.set(answers.subarray(r * CLASSES, r * CLASSES + classes), r * classes);
    return { outputs: three, position: [(start + window / 2) / (length / 2) - 1, 0], coverage: window / length };
  });
  return { name, set: withOwnProfile(fromMembers(members, records, classes, "probabilities")), labels };
}

function wave(label: number, t: number, phase: number): number {
  const period = [16, 9, 5][label] ?? 16;
  return 1.1 * Math.sin((2 * Math.PI * t) / period + phase);
}

function taskOf(name: string, digits: Digits, { from, to }: Range, members: readonly MemberOutputs[]): AggregationTask {
  return {
    name,
    set: withOwnProfile(fromMembers(members, to - from, CLASSES, "probabilities")),
    labels: digits.labels.slice(from, to),
  };
}

/** Mixes equally long lists of samples in a seeded order, so that training without shuffling sees all of them. */
function interleave(parts: readonly Float32Array[], labels: Float64Array, width: number, seed: number) {
  const order = shuffled(parts.length * labels.length, seeded(seed));
  const inputs = new Float32Array(order.length * width);
  const targets = new Float64Array(order.length);
  order.forEach((source, row) => {
    const sample = source % labels.length;
    const part = parts[Math.floor(source / labels.length)];
    if (part) inputs.set(part.subarray(sample * width, (sample + 1) * width), row * width);
    targets[row] = labels[sample] ?? 0;
  });
  return { inputs, targets };
}
