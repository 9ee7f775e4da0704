/**
 * Affine forms: rows of sparse weights over a basis, plus a constant each. The compiler's picture of a tensor: row i says how
 * element i is made of the basis (the encrypted features, or what came out of the last squares).
 *
 * A weight that is zero in the model stays in its row: which inputs an output reads is the layer's shape, and blocks.ts finds the
 * convolution in it.
 */
import { FluxError } from "#lib/protocol/errors.ts";

export interface Forms {
  readonly rows: number;
  /** `[rows + 1]` row i's entries are start[i] .. start[i + 1]. */
  readonly start: Int32Array;
  /** Basis positions, ascending within a row. */
  readonly column: Int32Array;
  readonly weight: Float64Array;
  /** `[rows]` */
  readonly constant: Float64Array;
}

/** Weights of one layer before quantisation: 2^25 are 400 MB of compiler memory, and minutes per batch for a donor. */
const MAX_ENTRIES = 2 ** 25;

/** Appends rows. */
export class FormsBuilder {
  private starts: number[] = [0];
  private constants: number[] = [];
  private columns = new Int32Array(1024);
  private weights = new Float64Array(1024);
  private entries = 0;

  add(column: number, weight: number): void {
    if (this.entries === this.columns.length) this.grow();
    this.columns[this.entries] = column;
    this.weights[this.entries] = weight;
    this.entries++;
  }

  endRow(constant: number): void {
    this.starts.push(this.entries);
    this.constants.push(constant);
  }

  finish(): Forms {
    return {
      rows: this.constants.length,
      start: Int32Array.from(this.starts),
      column: this.columns.slice(0, this.entries),
      weight: this.weights.slice(0, this.entries),
      constant: Float64Array.from(this.constants),
    };
  }

  private grow(): void {
    if (this.entries >= MAX_ENTRIES) {
      throw new FluxError(
        "plan_impossible",
        `A layer has more than ${MAX_ENTRIES} weights once convolutions are written out. Use fewer channels, larger strides or a smaller input.`,
      );
    }
    const columns = new Int32Array(2 * this.entries);
    columns.set(this.columns);
    this.columns = columns;
    const weights = new Float64Array(2 * this.entries);
    weights.set(this.weights);
    this.weights = weights;
  }
}

/** Every element is its own basis position, from `first` on. */
export function unitForms(count: number, first = 0): Forms {
  return {
    rows: count,
    start: Int32Array.from({ length: count + 1 }, (_, i) => i),
    column: Int32Array.from({ length: count }, (_, i) => first + i),
    weight: new Float64Array(count).fill(1),
    constant: new Float64Array(count),
  };
}

export function constantForms(values: ArrayLike<number>): Forms {
  const rows = values.length;
  return {
    rows,
    start: new Int32Array(rows + 1),
    column: new Int32Array(0),
    weight: new Float64Array(0),
    constant: Float64Array.from(values),
  };
}

/** The rows at these positions; −1 makes a constant row of `fill`. */
export function selectRows(forms: Forms, index: ArrayLike<number>, fill = 0): Forms {
  const builder = new FormsBuilder();
  for (let i = 0; i < index.length; i++) {
    const row = index[i]!;
    if (row < 0) {
      builder.endRow(fill);
      continue;
    }
    for (let e = forms.start[row]!; e < forms.start[row + 1]!; e++) builder.add(forms.column[e]!, forms.weight[e]!);
    builder.endRow(forms.constant[row]!);
  }
  return builder.finish();
}

/** row i → factor(i)·row i + shift(i) */
export function scaleRows(forms: Forms, factor: (row: number) => number, shift: (row: number) => number): Forms {
  const weight = new Float64Array(forms.weight.length);
  const constant = new Float64Array(forms.rows);
  for (let row = 0; row < forms.rows; row++) {
    const by = factor(row);
    for (let e = forms.start[row]!; e < forms.start[row + 1]!; e++) weight[e] = forms.weight[e]! * by;
    constant[row] = forms.constant[row]! * by + shift(row);
  }
  return { ...forms, weight, constant };
}

/** a + sign·b, row by row, over one basis. */
export function addForms(a: Forms, b: Forms, sign: 1 | -1): Forms {
  const builder = new FormsBuilder();
  for (let row = 0; row < a.rows; row++) {
    let i = a.start[row]!;
    let j = b.start[row]!;
    const endA = a.start[row + 1]!;
    const endB = b.start[row + 1]!;
    while (i < endA || j < endB) {
      const columnA = i < endA ? a.column[i]! : Number.POSITIVE_INFINITY;
      const columnB = j < endB ? b.column[j]! : Number.POSITIVE_INFINITY;
      const column = Math.min(columnA, columnB);
      let weight = 0;
      if (columnA === column) weight += a.weight[i++]!;
      if (columnB === column) weight += sign * b.weight[j++]!;
      builder.add(column, weight);
    }
    builder.endRow(a.constant[row]! + sign * b.constant[row]!);
  }
  return builder.finish();
}

/** `map` (over the elements of `inner`) after `inner` (over its basis of `basisSize`): one set of forms over the basis. */
export function compose(map: Forms, inner: Forms, basisSize: number): Forms {
  const builder = new FormsBuilder();
  const sum = new Float64Array(basisSize);
  const touched = new Uint8Array(basisSize);
  const columns: number[] = [];
  for (let row = 0; row < map.rows; row++) {
    let constant = map.constant[row]!;
    for (let e = map.start[row]!; e < map.start[row + 1]!; e++) {
      const element = map.column[e]!;
      const weight = map.weight[e]!;
      constant += weight * inner.constant[element]!;
      for (let k = inner.start[element]!; k < inner.start[element + 1]!; k++) {
        const column = inner.column[k]!;
        if (touched[column] === 0) {
          touched[column] = 1;
          columns.push(column);
        }
        sum[column] = sum[column]! + weight * inner.weight[k]!;
      }
    }
    columns.sort((x, y) => x - y);
    for (const column of columns) {
      builder.add(column, sum[column]!);
      sum[column] = 0;
      touched[column] = 0;
    }
    columns.length = 0;
    builder.endRow(constant);
  }
  return builder.finish();
}

/** Renames basis positions; rows are sorted again. `position[c]` must be ≥ 0 for every column in use. */
export function renameColumns(forms: Forms, position: Int32Array): Forms {
  const column = forms.column.map((c) => position[c]!);
  const weight = forms.weight.slice();
  for (let row = 0; row < forms.rows; row++) {
    const from = forms.start[row]!;
    const to = forms.start[row + 1]!;
    let sorted = true;
    for (let e = from + 1; e < to && sorted; e++) sorted = column[e - 1]! < column[e]!;
    if (sorted) continue;
    const order = Array.from({ length: to - from }, (_, i) => from + i).sort((x, y) => column[x]! - column[y]!);
    const columns = order.map((e) => column[e]!);
    const weights = order.map((e) => weight[e]!);
    column.set(columns, from);
    weight.set(weights, from);
  }
  return { ...forms, column, weight };
}

/** Rows of several sets of forms over one basis, one after another. */
export function concatForms(parts: readonly Forms[]): Forms {
  const builder = new FormsBuilder();
  for (const part of parts) {
    for (let row = 0; row < part.rows; row++) {
      for (let e = part.start[row]!; e < part.start[row + 1]!; e++) builder.add(part.column[e]!, part.weight[e]!);
      builder.endRow(part.constant[row]!);
    }
  }
  return builder.finish();
}

/** True where a row reads nothing of the basis. */
export function isConstantRow(forms: Forms, row: number): boolean {
  return forms.start[row] === forms.start[row + 1];
}

/** The values of every row on sample columns: `basis[c]` is basis position c on all samples. Returns one array per row. */
export function evaluateForms(forms: Forms, basis: readonly Float64Array[], samples: number): Float64Array[] {
  return Array.from({ length: forms.rows }, (_, row) => {
    const out = new Float64Array(samples).fill(forms.constant[row]!);
    for (let e = forms.start[row]!; e < forms.start[row + 1]!; e++) {
      const weight = forms.weight[e]!;
      if (weight === 0) continue;
      const column = basis[forms.column[e]!]!;
      for (let s = 0; s < samples; s++) out[s] = out[s]! + weight * column[s]!;
    }
    return out;
  });
}
