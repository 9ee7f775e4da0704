/** The four aggregation tasks of the benchmark, and the earlier jobs that the meta-learned start has seen. */
import { type AggregationSet, fromMembers, type MemberOutputs } from "#lib/aggregation/aggregation-set.ts";
import { normal, type Random, seeded, shuffled } from "#lib/aggregation/random.ts";
import { CLASSES, type Classifier, cutTiles, type Digits, SIDE, trainClassifier } from "./digits.ts";

export interface AggregationTask {
  readonly name: string;
  readonly set: AggregationSet;
  readonly labels: Float64Array;
}

/** Images 0..4,999 train the small networks; the rest is labelled and held out for the reducers. */
const TRAIN = 5_000;
const TILE = 16;
const CORNERS = [0, SIDE - TILE];

/** (a) four overlapping corner tiles an image, one network for all of them. */
export async function tileTask(digits: Digits, seed: number, trainFrom = 0, trainTo = TRAIN): Promise<AggregationTask> {
  const corners = CORNERS.flatMap((top) => CORNERS.map((left) => ({ top, left })));
  const parts = corners.map(({ top, left }) => cutTiles(digits, top, left, TILE, trainFrom, trainTo));
  const labels = digits.labels.slice(trainFrom, trainTo);
  const { inputs, targets } = interleave(parts, labels, TILE * TILE, seed);
  const classify = await trainClassifier(inputs, targets, TILE * TILE, 2, seed);
  const members = corners.map(({ top, left }): MemberOutputs => {
    const centre = (start: number) => (start + TILE / 2) / (SIDE / 2) - 1;
    return {
      outputs: classify(cutTiles(digits, top, left, TILE, TRAIN, digits.count), digits.count - TRAIN),
      position: [centre(left), centre(top)],
      coverage: (TILE * TILE) / (SIDE * SIDE),
    };
  });
  return task("a: four tiles", digits, members);
}

export type Breakage = "shifted" | "inverted" | null;

/** (b), (c) members trained on 300 images each; broken ones see the image shifted by six pixels, or inverted. */
export async function memberTask(
  digits: Digits,
  name: string,
  breakages: readonly Breakage[],
  seed: number,
  trainFrom = 0,
): Promise<AggregationTask> {
  const members: MemberOutputs[] = [];
  for (const [m, breakage] of breakages.entries()) {
    const from = trainFrom + m * 300;
    const width = SIDE * SIDE;
    const images = digits.images.slice(from * width, (from + 300) * width);
    const classify = await trainClassifier(images, digits.labels.slice(from, from + 300), width, 25, seed + 10 * m);
    members.push({ outputs: classify(brokenView(digits, breakage), digits.count - TRAIN) });
  }
  return task(name, digits, members);
}

function brokenView(digits: Digits, breakage: Breakage): Float32Array {
  const images = digits.images.slice(TRAIN * SIDE * SIDE);
  switch (breakage) {
    case null:
      return images;
    case "inverted":
      return images.map((value) => 1 - value);
    case "shifted": {
      const shifted = new Float32Array(images.length);
      shifted.set(images.subarray(0, images.length - 6), 6);
      return shifted;
    }
  }
}

/** (d) windows of a generated signal: three kinds of wave that show for a part of the record only, in noise. */
export async function windowTask(records: number, seed: number): Promise<AggregationTask> {
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
  return { name: "d: windows of a signal", set: fromMembers(members, records, classes, "probabilities"), labels };
}

function wave(label: number, t: number, phase: number): number {
  const period = [16, 9, 5][label] ?? 16;
  return 1.1 * Math.sin((2 * Math.PI * t) / period + phase);
}

function task(name: string, digits: Digits, members: readonly MemberOutputs[]): AggregationTask {
  const set = fromMembers(members, digits.count - TRAIN, CLASSES, "probabilities");
  return { name, set, labels: digits.labels.slice(TRAIN) };
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
