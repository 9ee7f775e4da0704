/**
 * Graph → (affine, square)* + tail.
 *
 * Walks the graph once in topological order. A value that depends on the record is either *forms* (affine over a level's basis: it will
 * be encrypted) or belongs to the *tail*, which the key-holder runs on decrypted values: every non-affine node after the last weighted
 * or pooling layer, and what follows it. Everything in between has to be affine or quadratic, or an activation that a quadratic can
 * stand in for.
 */
import { broadcastTo } from "#lib/model/evaluate/array.ts";
import { binaryFunction, unaryFunction } from "#lib/model/evaluate/functions.ts";
import { type DoubleArray, evaluateNode } from "#lib/model/evaluate.ts";
import {
  BATCH,
  type BatchNormalizationNode,
  type BinaryNode,
  type ConvNode,
  describeNode,
  formatShape,
  type GemmNode,
  type Graph,
  type GraphNode,
  type GraphPort,
  inputsOf,
  isUnary,
  type MatMulNode,
  type PoolNode,
  type ReduceNode,
  recordElements,
  type Shape,
  type UnaryNode,
  type UnaryOp,
  type ValueId,
  valueInfo,
  withBatch,
} from "#lib/model/graph.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import {
  addForms,
  compose,
  constantForms,
  type Forms,
  isConstantRow,
  scaleRows,
  selectRows,
  unitForms,
} from "./forms.ts";
import { LayerStack, type NormalForm } from "./layers.ts";
import { averagePoolMap, convMap, gemmMap, matMulMap, reduceMap } from "./linear-maps.ts";
import { fitQuadratic, type Quadratic } from "./quadratic-fit.ts";

export interface FittedActivation {
  readonly node: string;
  readonly source: string;
}

export interface NormalizedGraph {
  readonly normal: NormalForm;
  /** What the key-holder runs on the decrypted values; its inputs are the program's outputs, in order. */
  readonly tail: Graph;
  /** Activations that a fitted quadratic stands in for. */
  readonly fitted: readonly FittedActivation[];
}

/** Calibration values: `[features]` columns over the samples, all graph inputs flattened one after another. */
export interface Samples {
  readonly count: number;
  readonly columns: Float64Array[];
}

/** Throws FluxError with the node, its operator and a remedy where the graph does not fit. */
export function normalize(graph: Graph, samples: Samples): NormalizedGraph {
  return new Normalizer(graph, samples).run();
}

interface FormsValue {
  readonly kind: "forms";
  readonly level: number;
  /** With the batch axis first. */
  readonly shape: Shape;
  readonly forms: Forms;
}
type Value = FormsValue | { readonly kind: "constant"; readonly array: DoubleArray } | { readonly kind: "tail" };

/** Work that repays encryption; what comes after the last of these is the tail. */
const HEAVY: ReadonlySet<GraphNode["op"]> = new Set([
  "conv",
  "matMul",
  "gemm",
  "averagePool",
  "reduceMean",
  "reduceSum",
]);

/** Smooth enough for a quadratic to follow over the range that occurs; the fidelity report tells how well. */
const FITTABLE: ReadonlySet<UnaryOp> = new Set([
  "abs",
  "relu",
  "leakyRelu",
  "elu",
  "selu",
  "gelu",
  "silu",
  "mish",
  "sigmoid",
  "tanh",
  "softplus",
  "softsign",
  "hardSigmoid",
  "hardSwish",
  "clip",
  "erf",
]);

/** A vertex further than this many spreads from the inputs makes (x + s)² − s² cancel: x is carried beside x² instead. */
const MAX_VERTEX_SPREADS = 6;

class Normalizer {
  private readonly graph: Graph;
  private readonly stack: LayerStack;
  private readonly values = new Map<ValueId, Value>();
  private readonly heavyAfter: ReadonlySet<ValueId>;
  private readonly raised = new Map<ValueId, FormsValue>();
  private readonly fitted: FittedActivation[] = [];

  constructor(graph: Graph, samples: Samples) {
    this.graph = graph;
    this.stack = new LayerStack(samples.columns, samples.count);
    this.heavyAfter = valuesWithHeavyWorkAfter(graph);
  }

  run(): NormalizedGraph {
    let first = 0;
    for (const input of this.graph.inputs) {
      const count = recordElements(input.shape);
      this.values.set(input.id, { kind: "forms", level: 0, shape: input.shape, forms: unitForms(count, first) });
      first += count;
    }
    for (const [id, tensor] of this.graph.constants) {
      this.values.set(id, { kind: "constant", array: { shape: tensor.shape, data: Float64Array.from(tensor.data) } });
    }
    for (const node of this.graph.nodes) this.values.set(node.output, this.visit(node));
    return this.finish();
  }

  private visit(node: GraphNode): Value {
    const inputs = inputsOf(node).map((id) => this.values.get(id)!);
    const info = valueInfo(this.graph, node.output);
    if (inputs.every((input) => input.kind === "constant")) {
      const arrays = inputs.map((input) => input.array);
      return { kind: "constant", array: evaluateNode(node, arrays, withBatch(info.shape, 1), info.dtype) };
    }
    const tailAllowed = !this.heavyAfter.has(node.output) && !HEAVY.has(node.op);
    if (inputs.some((input) => input.kind === "tail")) return { kind: "tail" };
    try {
      return this.encrypted(node, inputs, info.shape, tailAllowed) ?? { kind: "tail" };
    } catch (error) {
      if (tailAllowed && error instanceof Unencryptable) return { kind: "tail" };
      if (error instanceof Unencryptable) {
        throw new FluxError(
          "plan_unsupported_operator",
          `${describeNode(node)} cannot run on encrypted data: ${error.message}. ${error.remedy}`,
          { param: node.name },
        );
      }
      throw error;
    }
  }

  /** The node on forms; undefined leaves it to the tail (allowed only where `tailAllowed`). */
  private encrypted(node: GraphNode, inputs: readonly Value[], shape: Shape, tailAllowed: boolean): Value | undefined {
    switch (node.op) {
      case "conv":
      case "gemm":
      case "matMul":
      case "averagePool":
      case "reduceMean":
      case "reduceSum":
        return this.linear(node, inputs, shape);
      case "batchNormalization":
        return this.batchNormalization(node, inputs, shape);
      case "reshape":
      case "transpose":
      case "slice":
      case "gather":
      case "expand":
      case "pad":
      case "concat":
        return this.movement(node, inputs, shape);
      case "add":
      case "sub":
        return this.sum(node, inputs, shape);
      case "mul":
      case "div":
      case "pow":
      case "maximum":
      case "minimum":
        return this.product(node, inputs, shape, tailAllowed);
      case "cast":
        if (node.to === "float32" || node.to === "float64" || node.to === "float16" || node.to === "bfloat16") {
          return inputs[0];
        }
        throw new Unencryptable("rounding is not a polynomial", "Remove the cast to an integer type.");
      case "maxPool":
        throw new Unencryptable(
          "a maximum needs comparisons",
          "Replace it by AveragePool (or a strided convolution) and fine-tune the model, or submit the job with privacy: public.",
        );
      case "softmax":
      case "logSoftmax":
      case "argMax":
      case "reduceMax":
      case "reduceMin":
      case "reduceProd":
        throw new Unencryptable(
          "it compares or normalises values of one record",
          "Move it behind the last weighted layer, where the key-holder computes it, or submit the job with privacy: public.",
        );
      default:
        if (isUnary(node)) return this.unary(node, forms(inputs[0]!), tailAllowed);
        return undefined;
    }
  }

  // ---------------------------------------------------------------- affine operators

  private linear(
    node: ConvNode | GemmNode | MatMulNode | PoolNode | ReduceNode,
    inputs: readonly Value[],
    shape: Shape,
  ): FormsValue {
    const out = withBatch(shape, 1);
    const fixed = (at: number): DoubleArray | undefined => {
      const input = inputs[at];
      if (input === undefined) return undefined;
      if (input.kind === "constant") return input.array;
      throw new Unencryptable(
        "both of its sides depend on the record",
        "Use fixed weights on one side, or privacy: public.",
      );
    };
    const apply = (x: Value, map: (dims: readonly number[]) => Forms): FormsValue => {
      const value = forms(x);
      requireBatchFirst(value.shape);
      requireBatchFirst(shape);
      return this.composed(value, map(withBatch(value.shape, 1)), shape);
    };
    switch (node.op) {
      case "conv":
        return apply(inputs[0]!, (x) => convMap(node, x, fixed(1)!, fixed(2), out));
      case "averagePool":
      case "maxPool":
        return apply(inputs[0]!, (x) => averagePoolMap(node, x, out));
      case "reduceMean":
      case "reduceSum":
      case "reduceMax":
      case "reduceMin":
      case "reduceProd":
        if (node.axes.includes(0))
          throw new Unencryptable("it mixes records", "Reduce over other axes than the batch.");
        return apply(inputs[0]!, (x) => reduceMap(node, x));
      case "gemm":
        if (node.transA) throw new Unencryptable("it transposes the batch axis", "Set transA to 0.");
        return apply(inputs[0]!, () => gemmMap(node, fixed(1)!, fixed(2)));
      case "matMul":
        return inputs[0]!.kind === "constant"
          ? apply(inputs[1]!, (x) => matMulMap(x, fixed(0)!, "a"))
          : apply(inputs[0]!, (x) => matMulMap(x, fixed(1)!, "b"));
    }
  }

  private batchNormalization(node: BatchNormalizationNode, inputs: readonly Value[], shape: Shape): FormsValue {
    const x = forms(inputs[0]!);
    requireBatchFirst(x.shape);
    const dims = withBatch(x.shape, 1);
    const inner = dims.slice(node.axis + 1).reduce((product, dim) => product * dim, 1);
    const [scale, bias, mean, variance] = inputs.slice(1).map((input) => constant(input).data) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const channel = (row: number) => Math.floor(row / inner) % dims[node.axis]!;
    const factor = (row: number) => scale[channel(row)]! / Math.sqrt(variance[channel(row)]! + node.epsilon);
    const shift = (row: number) => bias[channel(row)]! - mean[channel(row)]! * factor(row);
    return { ...x, shape, forms: scaleRows(x.forms, factor, shift) };
  }

  /** Operators that only move elements: run on the elements' numbers, 1 and up; 0 comes out where padding was put in. */
  private movement(
    node: Extract<GraphNode, { op: "reshape" | "transpose" | "slice" | "gather" | "expand" | "pad" | "concat" }>,
    inputs: readonly Value[],
    shape: Shape,
  ): FormsValue {
    const level = Math.max(...inputs.map((input) => (input.kind === "forms" ? input.level : 0)));
    const parts = inputs.map((input, i) => this.atLevel(input, level, inputsOf(node)[i]!));
    let next = 1;
    const numbered = parts.map((part, i): DoubleArray => {
      const dims = recordDims(inputs[i]!, part.rows);
      const data = Float64Array.from({ length: part.rows }, () => next++);
      return { shape: dims, data };
    });
    const fill = node.op === "pad" && node.mode === "constant" ? node.value : 0;
    const moved = evaluateNode(
      node.op === "pad" ? { ...node, value: 0 } : node,
      numbered,
      withBatch(shape, 1),
      "float64",
    );
    requireBatchFirst(shape);
    const all = parts.length === 1 ? parts[0]! : concatRows(parts);
    return {
      kind: "forms",
      level,
      shape,
      forms: selectRows(
        all,
        moved.data.map((number) => number - 1),
        fill,
      ),
    };
  }

  private sum(node: BinaryNode, inputs: readonly Value[], shape: Shape): FormsValue {
    const level = Math.max(...inputs.map((input) => (input.kind === "forms" ? input.level : 0)));
    const [a, b] = [0, 1].map((i) => this.broadcast(inputs[i]!, level, [node.a, node.b][i]!, shape)) as [Forms, Forms];
    return { kind: "forms", level, shape, forms: addForms(a, b, node.op === "sub" ? -1 : 1) };
  }

  // ---------------------------------------------------------------- products and activations

  private product(node: BinaryNode, inputs: readonly Value[], shape: Shape, tailAllowed: boolean): Value | undefined {
    const [a, b] = inputs as [Value, Value];
    if (a.kind === "forms" && b.kind === "forms") {
      if (node.op !== "mul") throw new Unencryptable("both of its sides depend on the record", "Use privacy: public.");
      if (tailAllowed) return undefined;
      return node.a === node.b ? this.square(node, a, shape) : this.multiply(node, a, b, shape);
    }
    const x = a.kind === "forms" ? a : forms(b);
    const fixed = broadcastTo(constant(a.kind === "forms" ? b : a), withBatch(shape, 1)).data;
    if (node.op === "mul" || (node.op === "div" && a.kind === "forms")) {
      const wide = this.broadcast(x, x.level, a.kind === "forms" ? node.a : node.b, shape);
      const factor = (row: number) => (node.op === "mul" ? fixed[row]! : 1 / fixed[row]!);
      return { kind: "forms", level: x.level, shape, forms: scaleRows(wide, factor, () => 0) };
    }
    const exponent = fixed[0]!;
    const uniform = fixed.every((value) => value === exponent);
    if (node.op === "pow" && a.kind === "forms" && uniform) {
      if (exponent === 1) return x;
      if (tailAllowed) return undefined;
      if (exponent === 2) return this.square(node, x, shape);
      if (exponent === 4) return this.square(node, this.square(node, x, shape), shape);
    }
    if (tailAllowed) return undefined;
    if ((node.op === "maximum" || node.op === "minimum") && uniform) {
      const f = binaryFunction(node.op, false);
      return this.activation(node, x, (value) => f(value, exponent), shape);
    }
    throw new Unencryptable(
      "only sums, products and squares of encrypted values exist",
      "Use x·x or Pow 2, divide by constants only, or submit the job with privacy: public.",
    );
  }

  private unary(node: UnaryNode, x: FormsValue, tailAllowed: boolean): Value | undefined {
    if (node.op === "neg")
      return {
        ...x,
        forms: scaleRows(
          x.forms,
          () => -1,
          () => 0,
        ),
      };
    if (tailAllowed) return undefined;
    if (!FITTABLE.has(node.op)) {
      throw new Unencryptable(
        "no quadratic stands in for it",
        "Use x², ReLU, GELU, SiLU, sigmoid or tanh there, or submit the job with privacy: public.",
      );
    }
    return this.activation(node, x, unaryFunction(node), x.shape);
  }

  /** x² of every element. */
  private square(node: GraphNode, x: FormsValue, shape: Shape): FormsValue {
    return this.quadratic(
      node,
      x,
      Array.from({ length: x.forms.rows }, () => ({ a: 1, b: 0, c: 0 })),
      shape,
    );
  }

  /** x·y = ((x + y)² − (x − y)²) / 4 */
  private multiply(node: BinaryNode, a: FormsValue, b: FormsValue, shape: Shape): FormsValue {
    const level = Math.max(a.level, b.level);
    const x = this.broadcast(a, level, node.a, shape);
    const y = this.broadcast(b, level, node.b, shape);
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
  private activation(node: GraphNode, x: FormsValue, f: (value: number) => number, shape: Shape): FormsValue {
    this.fitted.push({ node: node.name, source: node.source });
    const values = this.stack.sample(x.level, x.forms);
    const dims = withBatch(x.shape, 1);
    const perChannel = dims.length > 1 ? dims.slice(2).reduce((product, dim) => product * dim, 1) : values.length;
    const enough = perChannel * this.stack.samples >= MIN_FIT_VALUES;
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
    const values = this.stack.sample(x.level, x.forms);
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
    const firstSquare = this.stack.push(x.level, "square", shifted, what);
    const firstCarry =
      carryRows.length > 0 ? this.stack.push(x.level, "carry", selectRows(x.forms, carryRows), what) : 0;
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

  // ---------------------------------------------------------------- levels

  private composed(x: FormsValue, map: Forms, shape: Shape): FormsValue {
    const basisSize = this.stack.basis[x.level]!.length;
    return { kind: "forms", level: x.level, shape, forms: compose(map, x.forms, basisSize) };
  }

  /** A value's rows at a level: constants are constant rows, values of a lower level are carried over the squares between. */
  private atLevel(value: Value, level: number, id: ValueId): Forms {
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

  private broadcast(value: Value, level: number, id: ValueId, shape: Shape): Forms {
    requireBatchFirst(shape);
    const rows = this.atLevel(value, level, id);
    const dims = recordDims(value, rows.rows);
    const target = withBatch(shape, 1);
    const numbers: DoubleArray = { shape: dims, data: Float64Array.from({ length: rows.rows }, (_, i) => i) };
    const index = broadcastTo(numbers, target).data;
    return index.length === rows.rows && index.every((from, to) => from === to) ? rows : selectRows(rows, index);
  }

  // ---------------------------------------------------------------- the end

  private finish(): NormalizedGraph {
    const { graph } = this;
    const isTail = (id: ValueId) => this.values.get(id)?.kind === "tail";
    const tailNodes = graph.nodes.filter((node) => isTail(node.output));
    const read = new Set([...tailNodes.flatMap(inputsOf), ...graph.outputs.map((output) => output.id)]);
    const ports: GraphPort[] = [];
    const parts: FormsValue[] = [];
    const order = [...graph.inputs.map((input) => input.id), ...graph.nodes.map((node) => node.output)];
    for (const id of order) {
      const value = this.values.get(id)!;
      if (!read.has(id) || value.kind !== "forms") continue;
      parts.push(value);
      ports.push({ ...valueInfo(graph, id), shape: value.shape, id, name: `decrypted:${ports.length}` });
    }
    const level = Math.max(0, ...parts.map((part) => part.level));
    const rows = parts.map((part, i) => this.atLevel(part, level, ports[i]!.id));
    if (rows.length === 0) {
      throw new FluxError("model_invalid", "No output of this model depends on its input. Check the exported model.");
    }
    const normal = this.stack.finish(rows.length === 1 ? rows[0]! : concatRows(rows));
    const constants = new Map([...graph.constants].filter(([id]) => read.has(id)));
    for (const [id, value] of this.values) {
      if (value.kind !== "constant" || !read.has(id) || constants.has(id)) continue;
      constants.set(id, value.array);
    }
    const known = new Set([
      ...ports.map((port) => port.id),
      ...constants.keys(),
      ...tailNodes.map((node) => node.output),
    ]);
    const values = new Map([...graph.values].filter(([id]) => known.has(id)));
    const tail: Graph = {
      name: `${graph.name} tail`,
      inputs: ports,
      outputs: graph.outputs,
      constants,
      nodes: tailNodes,
      values,
    };
    return { normal, tail, fitted: this.fitted };
  }
}

/** Below so many values per channel, one quadratic is fitted for the whole layer. */
const MIN_FIT_VALUES = 64;

/** Says why a node cannot be encrypted; in a tail that does not matter. */
class Unencryptable extends Error {
  readonly remedy: string;
  constructor(why: string, remedy: string) {
    super(why);
    this.remedy = remedy;
  }
}

function forms(value: Value): FormsValue {
  if (value.kind === "forms") return value;
  throw new Unencryptable(
    "its data side is a constant",
    "Export the model with the record as the operator's data input.",
  );
}

function constant(value: Value): DoubleArray {
  if (value.kind === "constant") return value.array;
  throw new Unencryptable(
    "its parameters depend on the record",
    "Use fixed parameters, or submit the job with privacy: public.",
  );
}

function requireBatchFirst(shape: Shape): void {
  const batchAxes = shape.filter((dim) => dim === BATCH).length;
  if (shape[0] !== BATCH || batchAxes !== 1) {
    throw new Unencryptable(
      `it makes a value of shape ${formatShape(shape)}, where the batch axis is not the first and only one`,
      "Keep the batch axis first.",
    );
  }
}

/** Dimensions of a value for one record. */
function recordDims(value: Value, rows: number): readonly number[] {
  if (value.kind === "constant") return value.array.shape;
  return value.kind === "forms" ? withBatch(value.shape, 1) : [rows];
}

function concatRows(parts: readonly Forms[]): Forms {
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

function rowsFrom(
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

function rootMeanSquare(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}

/** Values that a later heavy operator depends on. */
function valuesWithHeavyWorkAfter(graph: Graph): ReadonlySet<ValueId> {
  const before = new Set<ValueId>();
  for (const node of graph.nodes.toReversed()) {
    if (HEAVY.has(node.op) || before.has(node.output)) for (const id of inputsOf(node)) before.add(id);
  }
  return before;
}
