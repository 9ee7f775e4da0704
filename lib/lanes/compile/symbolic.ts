/**
 * What the walk knows of each value of a graph: a constant, affine forms over a level's basis, or part of the tail; and how values of
 * different levels and shapes are brought together.
 */
import { broadcastTo } from "#lib/model/evaluate/array.ts";
import type { DoubleArray } from "#lib/model/evaluate.ts";
import { BATCH, formatShape, type Shape, type ValueId, withBatch } from "#lib/model/graph.ts";
import { compose, constantForms, type Forms, isConstantRow, selectRows } from "./forms.ts";
import type { LayerStack } from "./layers.ts";

export interface FormsValue {
  readonly kind: "forms";
  readonly level: number;
  /** With the batch axis first. */
  readonly shape: Shape;
  readonly forms: Forms;
}
export type Value = FormsValue | { readonly kind: "constant"; readonly array: DoubleArray } | { readonly kind: "tail" };

/** Brings values to one level and one shape. */
export class Levels {
  readonly stack: LayerStack;
  private readonly raised = new Map<ValueId, FormsValue>();

  constructor(stack: LayerStack) {
    this.stack = stack;
  }

  /** A linear map over a value's elements, as forms over its basis. */
  composed(x: FormsValue, map: Forms, shape: Shape): FormsValue {
    const basisSize = this.stack.basis[x.level]!.length;
    return { kind: "forms", level: x.level, shape, forms: compose(map, x.forms, basisSize) };
  }

  /** A value's rows at a level: constants are constant rows, values of a lower level are carried over the squares between. */
  atLevel(value: Value, level: number, id: ValueId): Forms {
    if (value.kind === "constant") return constantForms(value.array.data);
    let at = this.raised.get(id) ?? forms(value);
    if (at.level > level) at = forms(value);
    while (at.level < level) {
      const rows: number[] = [];
      for (let row = 0; row < at.forms.rows; row++) if (!isConstantRow(at.forms, row)) rows.push(row);
      const first = this.stack.push(
        at.level,
        "carry",
        selectRows(at.forms, rows),
        `A branch around a square (value "${id}")`,
      );
      const position = new Map(rows.map((row, i) => [row, first + i]));
      const lower = at.forms;
      const raisedForms = rowsFrom(lower.rows, (row) => {
        const column = position.get(row);
        return column === undefined
          ? { entries: [], constant: lower.constant[row]! }
          : { entries: [[column, 1]], constant: 0 };
      });
      at = { ...at, level: at.level + 1, forms: raisedForms };
      this.raised.set(id, at);
    }
    return at.forms;
  }

  /** A value's rows at a level, broadcast to a shape. */
  broadcast(value: Value, level: number, id: ValueId, shape: Shape): Forms {
    requireBatchFirst(shape);
    const rows = this.atLevel(value, level, id);
    const dims = recordDims(value, rows.rows);
    const target = withBatch(shape, 1);
    const numbers: DoubleArray = { shape: dims, data: Float64Array.from({ length: rows.rows }, (_, i) => i) };
    const index = broadcastTo(numbers, target).data;
    return index.length === rows.rows && index.every((from, to) => from === to) ? rows : selectRows(rows, index);
  }
}

/** Says why a node cannot be encrypted; in a tail that does not matter. */
export class Unencryptable extends Error {
  readonly remedy: string;
  constructor(why: string, remedy: string) {
    super(why);
    this.remedy = remedy;
  }
}

export function forms(value: Value): FormsValue {
  if (value.kind === "forms") return value;
  throw new Unencryptable(
    "its data side is a constant",
    "Export the model with the record as the operator's data input.",
  );
}

export function constant(value: Value): DoubleArray {
  if (value.kind === "constant") return value.array;
  throw new Unencryptable(
    "its parameters depend on the record",
    "Use fixed parameters, or submit the job with privacy: public.",
  );
}

export function requireBatchFirst(shape: Shape): void {
  const batchAxes = shape.filter((dim) => dim === BATCH).length;
  if (shape[0] !== BATCH || batchAxes !== 1) {
    throw new Unencryptable(
      `it makes a value of shape ${formatShape(shape)}, where the batch axis is not the first and only one`,
      "Keep the batch axis first.",
    );
  }
}

/** Dimensions of a value for one record. */
export function recordDims(value: Value, rows: number): readonly number[] {
  if (value.kind === "constant") return value.array.shape;
  return value.kind === "forms" ? withBatch(value.shape, 1) : [rows];
}

export function concatRows(parts: readonly Forms[]): Forms {
  const starts: number[] = [];
  parts.forEach((part, i) => {
    for (let row = 0; row < part.rows; row++) starts.push(i, row);
  });
  return rowsFrom(starts.length / 2, (at) => {
    const part = parts[starts[2 * at]!]!;
    const row = starts[2 * at + 1]!;
    const entries: [number, number][] = [];
    for (let e = part.start[row]!; e < part.start[row + 1]!; e++) entries.push([part.column[e]!, part.weight[e]!]);
    return { entries, constant: part.constant[row]! };
  });
}

export function rowsFrom(
  rows: number,
  make: (row: number) => { entries: readonly (readonly [number, number])[]; constant: number },
): Forms {
  const start = new Int32Array(rows + 1);
  const column: number[] = [];
  const weight: number[] = [];
  const constants = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const made = make(row);
    for (const [c, w] of made.entries) {
      column.push(c);
      weight.push(w);
    }
    start[row + 1] = column.length;
    constants[row] = made.constant;
  }
  return { rows, start, column: Int32Array.from(column), weight: Float64Array.from(weight), constant: constants };
}
