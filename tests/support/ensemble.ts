/** Linear classifiers for ensembles whose right answers are known: some see the class, some are sure of the class beside it. */
import { normal, seeded } from "#lib/aggregation/random.ts";
import { linearModel } from "./linear-model.ts";

export const CLASSES = 4;

export interface LabelledRecords {
  /** `[records, CLASSES]` */
  readonly features: Float32Array<ArrayBuffer>;
  readonly labels: readonly number[];
}

/** Standard normal features; the one of the record's class is higher. */
export function labelledRecords(records: number, seed: number): LabelledRecords {
  const random = seeded(seed);
  const labels = Array.from({ length: records }, () => Math.floor(random() * CLASSES));
  const features = new Float32Array(records * CLASSES);
  labels.forEach((label, r) => {
    for (let c = 0; c < CLASSES; c++) features[r * CLASSES + c] = normal(random) + (c === label ? 2 : 0);
  });
  return { features, labels };
}

/** Columns f0 …, and `label` unless left out; ids r0, r1, … in the column `id`. */
export function csvOf({ features, labels }: LabelledRecords, withLabels = true): Uint8Array<ArrayBuffer> {
  const names = Array.from({ length: CLASSES }, (_, c) => `f${c}`);
  const rows = labels.map((label, r) =>
    [`r${r}`, ...features.subarray(r * CLASSES, (r + 1) * CLASSES), ...(withLabels ? [label] : [])].join(","),
  );
  return new TextEncoder().encode(
    `${["id", ...names, ...(withLabels ? ["label"] : [])].join(",")}\n${rows.join("\n")}\n`,
  );
}

/** Logits that are `sureness` times the features, with class c read from feature c − shift. */
export function memberModel(sureness: number, shift = 0): Uint8Array<ArrayBuffer> {
  return linearModel(memberWeights(sureness, shift), CLASSES);
}

export function memberWeights(sureness: number, shift = 0): Float32Array<ArrayBuffer> {
  const weights = new Float32Array(CLASSES * CLASSES);
  for (let c = 0; c < CLASSES; c++) weights[c * CLASSES + ((c + shift) % CLASSES)] = sureness;
  return weights;
}
