/**
 * The layers between squares while they are being collected, with the values that flow through them on calibration samples.
 *
 * Level d is what d squares have been applied to. Its basis are the values that the squares (and carries) of layer d − 1 left;
 * level 0's basis are the record's values. A value at level d is affine forms over that basis.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { LANE_LIMITS } from "../limits.ts";
import { concatForms, evaluateForms, type Forms, renameColumns } from "./forms.ts";

interface Part {
  readonly kind: "square" | "carry";
  readonly forms: Forms;
}

/** The affine forms before one square step: squares first, then the rows that are carried over it. */
export interface NormalLayer {
  readonly forms: Forms;
  readonly carried: number;
}

/** (affine, square)* and a last affine, over the record's values. */
export interface NormalForm {
  /** Positions of the record that the network reads: layer 0's basis. */
  readonly features: readonly number[];
  readonly layers: readonly NormalLayer[];
  readonly final: Forms;
}

export class LayerStack {
  readonly samples: number;
  /** `[level][column]` values on the samples. */
  readonly basis: Float64Array[][];
  private readonly parts: Part[][] = [];

  constructor(inputColumns: Float64Array[], samples: number) {
    this.samples = samples;
    this.basis = [inputColumns];
  }

  /** Values of forms at a level on the samples, one array per row. */
  sample(level: number, forms: Forms): Float64Array[] {
    return evaluateForms(forms, this.basis[level]!, this.samples);
  }

  /** Squares (or carries) every row; returns the first of their positions in the next level's basis. `what` names the node for refusals. */
  push(level: number, kind: Part["kind"], forms: Forms, what: string): number {
    if (level >= LANE_LIMITS.maxSquares) {
      throw new FluxError(
        "plan_too_deep",
        `${what} needs more than ${LANE_LIMITS.maxSquares} squares one after another. Remove an activation, or move it behind the last weighted layer.`,
        { param: what },
      );
    }
    const values = this.sample(level, forms);
    if (this.parts[level] === undefined) this.parts[level] = [];
    if (this.basis[level + 1] === undefined) this.basis[level + 1] = [];
    this.parts[level]!.push({ kind, forms });
    const next = this.basis[level + 1]!;
    const first = next.length;
    for (const column of values) next.push(kind === "square" ? column.map((value) => value * value) : column);
    if (next.length > LANE_LIMITS.maxWidth) {
      throw new FluxError(
        "plan_impossible",
        `${what} makes a layer wider than ${LANE_LIMITS.maxWidth} values. Use fewer channels, larger strides or a smaller input.`,
        { param: what },
      );
    }
    return first;
  }

  /** The finished normal form: what nothing reads is dropped, carried rows go last. `final` is over the deepest level's basis. */
  finish(final: Forms): NormalForm {
    let reader = final;
    const layers: NormalLayer[] = [];
    for (let level = this.parts.length - 1; level >= 0; level--) {
      const used = usedColumns(reader, this.basis[level + 1]!.length);
      const kept = this.keepRows(level, used);
      reader = renameColumns(reader, kept.position);
      if (layers.length === 0) final = reader;
      else layers[0] = { ...layers[0]!, forms: reader };
      layers.unshift({ forms: kept.forms, carried: kept.carried });
      reader = kept.forms;
    }
    const used = usedColumns(reader, this.basis[0]!.length);
    const features: number[] = [];
    const position = used.map((flag, column) => (flag === 1 ? features.push(column) - 1 : -1));
    reader = renameColumns(reader, position);
    if (layers.length === 0) final = reader;
    else layers[0] = { ...layers[0]!, forms: reader };
    return { features, layers, final };
  }

  /** The used rows of a level, squares before carries, and where each basis position of the next level went. */
  private keepRows(level: number, used: Int32Array): { forms: Forms; carried: number; position: Int32Array } {
    const position = new Int32Array(used.length).fill(-1);
    const chosen: Forms[] = [];
    let count = 0;
    const take = (kind: Part["kind"]) => {
      let column = 0;
      for (const part of this.parts[level]!) {
        const rows: number[] = [];
        for (let row = 0; row < part.forms.rows; row++, column++) {
          if (part.kind !== kind || used[column] === 0) continue;
          position[column] = count++;
          rows.push(row);
        }
        if (rows.length > 0) chosen.push(pickRows(part.forms, rows));
      }
    };
    take("square");
    const squares = count;
    take("carry");
    return { forms: concatForms(chosen), carried: count - squares, position };
  }
}

function usedColumns(forms: Forms, count: number): Int32Array {
  const used = new Int32Array(count);
  for (const column of forms.column) used[column] = 1;
  return used;
}

function pickRows(forms: Forms, rows: readonly number[]): Forms {
  return concatForms(
    rows.map((row) => {
      const from = forms.start[row]!;
      const to = forms.start[row + 1]!;
      return {
        rows: 1,
        start: Int32Array.of(0, to - from),
        column: forms.column.subarray(from, to),
        weight: forms.weight.subarray(from, to),
        constant: forms.constant.subarray(row, row + 1),
      };
    }),
  );
}
