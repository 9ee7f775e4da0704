/** Squares, products and activations of encrypted values: everything that ends a level. */
import { type BinaryNode, describeNode, type GraphNode, type Shape, withBatch } from "#lib/model/graph.ts";
import { addForms, isConstantRow, scaleRows, selectRows } from "./forms.ts";
import { fitQuadratic, type Quadratic } from "./quadratic-fit.ts";
import { type FormsValue, type Levels, rowsFrom } from "./symbolic.ts";

/** An activation that a fitted quadratic stands in for. */
export interface FittedActivation {
  readonly node: string;
  readonly source: string;
}

/** A vertex further than this many spreads from the inputs makes (x + s)² − s² cancel: x is carried beside x² instead. */
const MAX_VERTEX_SPREADS = 6;
/** Below so many values per channel, one quadratic is fitted for the whole layer. */
const MIN_FIT_VALUES = 64;

/** Makes the rows of the next square step. */
export class Quadratics {
  readonly fitted: FittedActivation[] = [];
  private readonly levels: Levels;

  constructor(levels: Levels) {
    this.levels = levels;
  }

  /** x² of every element. */
  square(node: GraphNode, x: FormsValue, shape: Shape): FormsValue {
    return this.quadratic(
      node,
      x,
      Array.from({ length: x.forms.rows }, () => ({ a: 1, b: 0, c: 0 })),
      shape,
    );
  }

  /** x·y = ((x + y)² − (x − y)²) / 4 */
  multiply(node: BinaryNode, a: FormsValue, b: FormsValue, shape: Shape): FormsValue {
    const level = Math.max(a.level, b.level);
    const x = this.levels.broadcast(a, level, node.a, shape);
    const y = this.levels.broadcast(b, level, node.b, shape);
    const plus = this.square(node, { kind: "forms", level, shape, forms: addForms(x, y, 1) }, shape);
    const minus = this.square(node, { kind: "forms", level, shape, forms: addForms(x, y, -1) }, shape);
    const difference = addForms(plus.forms, minus.forms, -1);
    return {
      kind: "forms",
      level: level + 1,
      shape,
      forms: scaleRows(
        difference,
        () => 0.25,
        () => 0,
      ),
    };
  }

  /** A quadratic per channel (or per neuron) fitted to what flows in on the samples. */
  activation(node: GraphNode, x: FormsValue, f: (value: number) => number, shape: Shape): FormsValue {
    this.fitted.push({ node: node.name, source: node.source });
    const values = this.levels.stack.sample(x.level, x.forms);
    const dims = withBatch(x.shape, 1);
    const perChannel = dims.length > 1 ? dims.slice(2).reduce((product, dim) => product * dim, 1) : values.length;
    const enough = perChannel * this.levels.stack.samples >= MIN_FIT_VALUES;
    const quadratics: Quadratic[] = [];
    const width = enough ? perChannel : values.length;
    for (let first = 0; first < values.length; first += width) {
      const fit = fitQuadratic(f, values.slice(first, first + width));
      for (let i = 0; i < width; i++) quadratics.push(fit);
    }
    return this.quadratic(node, x, quadratics, shape);
  }

  /** a·x² + b·x + c by completing the square; where that would cancel, x is carried beside x². */
  private quadratic(node: GraphNode, x: FormsValue, quadratics: readonly Quadratic[], shape: Shape): FormsValue {
    const what = describeNode(node);
    const values = this.levels.stack.sample(x.level, x.forms);
    const squareRows: number[] = [];
    const carryRows: number[] = [];
    const shifts: number[] = [];
    quadratics.forEach(({ a, b }, row) => {
      if (isConstantRow(x.forms, row)) return;
      const shift = a === 0 ? Number.POSITIVE_INFINITY : b / (2 * a);
      const completes = Math.abs(shift) <= MAX_VERTEX_SPREADS * rootMeanSquare(values[row]!) || b === 0;
      if (a !== 0) {
        squareRows.push(row);
        shifts.push(completes ? shift : 0);
      }
      if (!completes && b !== 0) carryRows.push(row);
    });
    const shifted = scaleRows(
      selectRows(x.forms, squareRows),
      () => 1,
      (i) => shifts[i]!,
    );
    const firstSquare = this.levels.stack.push(x.level, "square", shifted, what);
    const firstCarry =
      carryRows.length > 0 ? this.levels.stack.push(x.level, "carry", selectRows(x.forms, carryRows), what) : 0;
    const squareOf = new Map(squareRows.map((row, i) => [row, i]));
    const carryOf = new Map(carryRows.map((row, i) => [row, i]));
    return {
      kind: "forms",
      level: x.level + 1,
      shape,
      forms: rowsFrom(quadratics.length, (row) => {
        const { a, b, c } = quadratics[row]!;
        if (isConstantRow(x.forms, row)) {
          const value = x.forms.constant[row]!;
          return { entries: [], constant: a * value * value + b * value + c };
        }
        const entries: [number, number][] = [];
        let constantTerm = c;
        const i = squareOf.get(row);
        if (i !== undefined) {
          entries.push([firstSquare + i, a]);
          constantTerm -= a * shifts[i]! * shifts[i]!;
        }
        const carried = carryOf.get(row);
        if (carried !== undefined) entries.push([firstCarry + carried, b]);
        return { entries, constant: constantTerm };
      }),
    };
  }
}

function rootMeanSquare(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}
