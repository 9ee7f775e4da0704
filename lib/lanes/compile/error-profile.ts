/**
 * How likely errors of a given size change answers. Counting changed answers among a thousand records is too coarse to search with (a
 * handful of records decide), so each record's chance is worked out from how close its decision is and how large errors are around it.
 */

import { type Graph, type GraphOp, isUnary, recordElements } from "#lib/model/graph.ts";
import { scalarRange } from "./fidelity.ts";

/** Per output port: how far its errors must go, in the difference of two values or in one, to change a record's answer. */
export interface Decisions {
  readonly ports: readonly {
    /** Which of the program's outputs belong to the port. */
    readonly first: number;
    readonly width: number;
    /** `[records]` distance to the nearest other answer. */
    readonly margin: Float64Array;
    /** Errors' mean squares that add up in a decision: two where two of many entries compete, four where there are only two (what one
     * gains the other tends to lose). */
    readonly values: 1 | 2 | 4;
  }[];
}

/** A single number is another answer if it moves by more than this share of the range of answers (as in fidelity.ts). */
const SCALAR_TOLERANCE = 0.01;
/** Tail operators that keep the order of a vector's entries. */
const ORDER_KEEPING: ReadonlySet<GraphOp> = new Set(["softmax", "logSoftmax", "argMax", "reshape", "cast"]);
/** Records on either side, in order of size, over which the error's size is averaged. */
const NEIGHBOURS = 32;

/**
 * What decides the answers, by the tail: the largest entry of a vector, the side of zero of a value before a sigmoid, the value itself
 * within a tolerance. A vector whose tail is something else is taken for competing entries as well: close enough to search by, and the
 * rehearsal measures the truth.
 */
export function decisionsOf(tail: Graph, outputs: readonly Float64Array[]): Decisions {
  let first = 0;
  const ports = tail.inputs.map((input) => {
    const width = recordElements(input.shape);
    const columns = outputs.slice(first, first + width);
    const readers = tail.nodes.filter((node) => "x" in node && node.x === input.id);
    const port = { first, width };
    first += width;
    if (width > 1) return { ...port, margin: topTwoMargin(columns), values: width === 2 ? (4 as const) : (2 as const) };
    const sigmoid = readers.some((node) => isUnary(node) && node.op === "sigmoid");
    const decided = sigmoid || readers.some((node) => ORDER_KEEPING.has(node.op) && node.op === "argMax");
    if (decided) return { ...port, margin: columns[0]!.map(Math.abs), values: 1 as const };
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const value of columns[0]!) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return { ...port, margin: columns[0]!.map(() => SCALAR_TOLERANCE * scalarRange(low, high)), values: 1 as const };
  });
  return { ports };
}

/** The size of errors around every record, and what they do to the answers. */
export class ErrorProfile {
  readonly rmsError: number;
  private readonly decisions: Decisions;
  /** `[port][record]` mean square error around the record. */
  private readonly local: readonly Float64Array[];

  constructor(outputs: readonly Float64Array[], errors: readonly Float64Array[], decisions: Decisions) {
    this.decisions = decisions;
    let sum = 0;
    for (const column of errors) for (const error of column) sum += error * error;
    const records = errors[0]!.length;
    this.rmsError = Math.sqrt(sum / (errors.length * records));
    this.local = decisions.ports.map(({ first, width }) =>
      localMeanSquare(outputs.slice(first, first + width), errors.slice(first, first + width)),
    );
  }

  /** Expected share of records with the same answers if all errors were `factor` times as large. */
  sameAnswers(factor = 1): number {
    const records = this.local[0]!.length;
    let changed = 0;
    for (let r = 0; r < records; r++) {
      let same = 1;
      this.decisions.ports.forEach(({ margin, values }, port) => {
        const deviation = factor * Math.sqrt(values * this.local[port]![r]!);
        // A competitor for first place is on one side; a tolerance or a threshold is crossed on either.
        same *= 1 - (deviation > 0 ? upperTail(margin[r]! / deviation) * (values === 1 ? 2 : 1) : 0);
      });
      changed += 1 - same;
    }
    return 1 - changed / records;
  }
}

function topTwoMargin(columns: readonly Float64Array[]): Float64Array {
  return columns[0]!.map((_, record) => {
    let best = Number.NEGATIVE_INFINITY;
    let second = Number.NEGATIVE_INFINITY;
    for (const column of columns) {
      const value = column[record]!;
      if (value > best) {
        second = best;
        best = value;
      } else if (value > second) second = value;
    }
    return best - second;
  });
}

/** Errors grow with outputs: the mean square over a record's neighbours in the order of how large outputs are. */
function localMeanSquare(outputs: readonly Float64Array[], errors: readonly Float64Array[]): Float64Array {
  const records = errors[0]!.length;
  const size = new Float64Array(records);
  const square = new Float64Array(records);
  outputs.forEach((column, i) => {
    for (let r = 0; r < records; r++) {
      size[r] = Math.max(size[r]!, Math.abs(column[r]!));
      square[r] = square[r]! + errors[i]![r]! ** 2 / outputs.length;
    }
  });
  const order = Array.from(size.keys()).sort((a, b) => size[a]! - size[b]!);
  const local = new Float64Array(records);
  order.forEach((record, rank) => {
    const from = Math.max(0, rank - NEIGHBOURS);
    const to = Math.min(records, rank + NEIGHBOURS + 1);
    let sum = 0;
    for (let i = from; i < to; i++) sum += square[order[i]!]!;
    local[record] = sum / (to - from);
  });
  return local;
}

/** P(Z > x) of a standard normal (Abramowitz and Stegun 26.2.17; absolute error below 7.5·10⁻⁸). */
function upperTail(x: number): number {
  const t = 1 / (1 + 0.2316419 * x);
  const polynomial = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)) * polynomial;
}
