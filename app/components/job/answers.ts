/** What a record's outputs say, for people: the best class and how sure, or the value. */

export type Answer =
  | { readonly kind: "class"; readonly best: number; readonly certainty: number; readonly scores: readonly number[] }
  | { readonly kind: "value"; readonly value: number };

/** @param output the first output of a record; null where it has no result */
export function answerOf(output: readonly number[] | null | undefined): Answer | null {
  if (!output || output.length === 0) return null;
  if (output.length === 1) return { kind: "value", value: output[0] ?? Number.NaN };
  const scores = isDistribution(output) ? output : softmax(output);
  const best = scores.indexOf(Math.max(...scores));
  return { kind: "class", best, certainty: scores[best] ?? 0, scores };
}

export function className(classes: readonly string[] | null, index: number): string {
  return classes?.[index] ?? String(index);
}

function isDistribution(values: readonly number[]): boolean {
  const sum = values.reduce((total, value) => total + value, 0);
  return values.every((value) => value >= -1e-6) && Math.abs(sum - 1) < 1e-3;
}

function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
