/** What the meta-model trusts, in plain words and numbers that were measured on the job's own segments. */
import type { AggregationSet } from "./aggregation-set.ts";
import { applyMetaModel, type MetaModel } from "./meta-model.ts";
import { FEATURE_COUNT, SEGMENT_FEATURES, segmentFeatures } from "./segment-features.ts";

export interface TrustReport {
  /** `[members]` mean weight of each member or position over the records that have it. */
  readonly memberWeights: Float64Array;
  /** How much more weight a segment gets in the upper than in the lower half of a feature; 1 is no difference. */
  readonly featureRatios: readonly { feature: string; ratio: number }[];
  readonly sentences: readonly string[];
}

/** @param names what members are called; positions are numbered where left out */
export function trustInWords(model: MetaModel, set: AggregationSet, names: readonly string[] = []): TrustReport {
  const features = segmentFeatures(set);
  const { weights } = applyMetaModel(model, set);
  const totals = new Float64Array(set.members);
  const counts = new Float64Array(set.members);
  weights.forEach((weight, s) => {
    totals[set.member[s]!]! += weight;
    counts[set.member[s]!]! += 1;
  });
  const memberWeights = totals.map((total, m) => (counts[m]! > 0 ? total / counts[m]! : 0));
  const featureRatios = SEGMENT_FEATURES.map((feature, f) => ({ feature, ratio: ratioOf(features, weights, f) }))
    .filter(({ ratio }) => Math.abs(Math.log(ratio)) > Math.log(1.1))
    .sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio)));

  const even = set.records / Math.max(1, set.member.length);
  const sentences: string[] = [];
  memberWeights.forEach((weight, m) => {
    const name = names[m] ?? `Member ${m + 1}`;
    if (weight < 0.5 * even)
      sentences.push(
        `${name} is hardly listened to: ${percent(weight)} of the weight, an even share is ${percent(even)}.`,
      );
    if (weight > 1.5 * even)
      sentences.push(`${name} counts most: ${percent(weight)} of the weight, an even share is ${percent(even)}.`);
  });
  for (const { feature, ratio } of featureRatios.slice(0, 3)) {
    sentences.push(
      ratio > 1
        ? `Segments high in ${feature} get ${ratio.toFixed(1)} times the weight of those low in it.`
        : `Segments low in ${feature} get ${(1 / ratio).toFixed(1)} times the weight of those high in it.`,
    );
  }
  if (sentences.length === 0)
    sentences.push("All segments count about the same; only the stated certainty is corrected.");
  return { memberWeights, featureRatios, sentences };
}

/** Mean weight above the feature's median over mean weight at or below it. */
function ratioOf(features: Float64Array, weights: Float64Array, feature: number): number {
  const values = weights.map((_, s) => features[s * FEATURE_COUNT + feature]!);
  const median = values.slice().sort()[values.length >> 1] ?? 0;
  let [high, highCount, low, lowCount] = [0, 0, 0, 0];
  weights.forEach((weight, s) => {
    if (values[s]! > median) {
      high += weight;
      highCount++;
    } else {
      low += weight;
      lowCount++;
    }
  });
  if (highCount === 0 || lowCount === 0 || low === 0 || high === 0) return 1;
  return high / highCount / (low / lowCount);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
