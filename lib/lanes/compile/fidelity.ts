/** How alike two runs of a model are, in the terms that a submitter cares about. */
import type { DoubleArray } from "#lib/model/evaluate.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { type Graph, recordElements } from "#lib/model/graph.ts";

/** Outputs by name, `[records, …]` each. */
export type Outputs = ReadonlyMap<string, DoubleArray>;

export interface Fidelity {
  /** Share of records with the same answer: the same largest entry of a vector, the same side of ½ behind a sigmoid, the same integer,
   * or a single number within 1 % of its range. With several outputs, all of them. */
  readonly sameAnswers: number;
  readonly records: number;
  /** Over all outputs, in their own units. */
  readonly largestError: number;
  readonly meanError: number;
}

/** A single number counts as the same answer within this share of the range that the plain model's answers span. */
const SCALAR_TOLERANCE = 0.01;

/** The tail on values `[records, outputs]` as the program's last step gives them. */
export function runTail(tail: Graph, values: Float64Array, records: number): Outputs {
  const widths = tail.inputs.map((input) => recordElements(input.shape));
  const total = widths.reduce((sum, width) => sum + width, 0);
  let first = 0;
  const inputs = new Map<string, Float64Array>();
  tail.inputs.forEach((input, i) => {
    const width = widths[i]!;
    const part = new Float64Array(records * width);
    for (let r = 0; r < records; r++) {
      part.set(values.subarray(r * total + first, r * total + first + width), r * width);
    }
    inputs.set(input.name, part);
    first += width;
  });
  return evaluate(tail, { records, inputs });
}

/** Compares outputs of the same model on the same records; `graph` says what each output is. */
export function compareOutputs(graph: Graph, plain: Outputs, other: Outputs, records: number): Fidelity {
  const same = new Uint8Array(records).fill(1);
  let largestError = 0;
  let errorSum = 0;
  let errorCount = 0;
  for (const output of graph.outputs) {
    const expected = plain.get(output.name)!.data;
    const found = other.get(output.name)!.data;
    const width = expected.length / records;
    const agrees = answerTest(graph, output, expected, width);
    for (let r = 0; r < records; r++) {
      if (!agrees(expected, found, r * width)) same[r] = 0;
      for (let i = r * width; i < (r + 1) * width; i++) {
        const error = Math.abs(expected[i]! - found[i]!);
        if (!(error <= largestError)) largestError = error;
        errorSum += error;
        errorCount++;
      }
    }
  }
  const sameAnswers = same.reduce((sum, flag) => sum + flag, 0) / records;
  return { sameAnswers, records, largestError, meanError: errorSum / errorCount };
}

type AnswerTest = (expected: Float64Array, found: Float64Array, at: number) => boolean;

function answerTest(graph: Graph, output: Graph["outputs"][number], expected: Float64Array, width: number): AnswerTest {
  if (width > 1) return (a, b, at) => argMax(a, at, width) === argMax(b, at, width);
  if (output.dtype.includes("int") || output.dtype === "bool") return (a, b, at) => a[at] === b[at];
  const producer = graph.nodes.find((node) => node.output === output.id);
  if (producer?.op === "sigmoid") return (a, b, at) => a[at]! >= 0.5 === b[at]! >= 0.5;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of expected) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const tolerance = SCALAR_TOLERANCE * scalarRange(low, high);
  return (a, b, at) => Math.abs(a[at]! - b[at]!) <= tolerance;
}

function argMax(values: Float64Array, at: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if (values[at + i]! > values[at + best]!) best = i;
  return best;
}

/** The range that a single number's tolerance is a share of; of answers that hardly differ, a tenth of their size. */
export function scalarRange(low: number, high: number): number {
  return Math.max(high - low, 0.1 * Math.max(Math.abs(low), Math.abs(high)), 1e-9);
}
