/** Generated aggregation sets for tests: members that are right with a known rate, broken ones among them. */
import { type AggregationSet, fromMembers } from "#lib/aggregation/aggregation-set.ts";
import { normal, seeded } from "#lib/aggregation/random.ts";

export interface GeneratedMember {
  /** How far the right class's logit stands out, in units of the noise; 0 knows nothing. */
  readonly skill: number;
  /** Answers label+1 instead of the label. */
  readonly shifted?: boolean;
}

export function generateSet(
  records: number,
  classes: number,
  members: readonly GeneratedMember[],
  seed: number,
): { set: AggregationSet; labels: Float64Array } {
  const random = seeded(seed);
  const labels = Float64Array.from({ length: records }, () => Math.floor(random() * classes));
  const outputs = members.map(({ skill, shifted }) => {
    const logits = new Float64Array(records * classes);
    for (let r = 0; r < records; r++) {
      const said = (labels[r]! + (shifted ? 1 : 0)) % classes;
      for (let c = 0; c < classes; c++) logits[r * classes + c] = normal(random) + (c === said ? skill : 0);
    }
    return { outputs: logits };
  });
  return { set: fromMembers(outputs, records, classes, "logits"), labels };
}
