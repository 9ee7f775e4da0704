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
  type BatchNormalizationNode,
  type BinaryNode,
  type ConvNode,
  describeNode,
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
import { HEAVY, NEVER_ENCRYPTED, valuesWithHeavyWorkAfter } from "./encryptable.ts";
import { addForms, type Forms, scaleRows, selectRows, unitForms } from "./forms.ts";
import { LayerStack, type NormalForm } from "./layers.ts";
import { averagePoolMap, convMap, gemmMap, matMulMap, reduceMap } from "./linear-maps.ts";
import { type FittedActivation, Quadratics } from "./quadratics.ts";
import {
  concatRows,
  constant,
  type FormsValue,
  forms,
  Levels,
  recordDims,
  requireBatchFirst,
  Unencryptable,
  type Value,
} from "./symbolic.ts";

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

class Normalizer {
  private readonly graph: Graph;
  private readonly levels: Levels;
  private readonly quadratics: Quadratics;
  private readonly values = new Map<ValueId, Value>();
  private readonly heavyAfter: ReadonlySet<ValueId>;

  constructor(graph: Graph, samples: Samples) {
    this.graph = graph;
    this.levels = new Levels(new LayerStack(samples.columns, samples.count));
    this.quadratics = new Quadratics(this.levels);
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
    const refusal = NEVER_ENCRYPTED[node.op];
    if (refusal) throw new Unencryptable(refusal.why, refusal.remedy);
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
      return this.levels.composed(value, map(withBatch(value.shape, 1)), shape);
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
    const parts = inputs.map((input, i) => this.levels.atLevel(input, level, inputsOf(node)[i]!));
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
    const [a, b] = [0, 1].map((i) => this.levels.broadcast(inputs[i]!, level, [node.a, node.b][i]!, shape)) as [
      Forms,
      Forms,
    ];
    return { kind: "forms", level, shape, forms: addForms(a, b, node.op === "sub" ? -1 : 1) };
  }

  // ---------------------------------------------------------------- products and activations

  private product(node: BinaryNode, inputs: readonly Value[], shape: Shape, tailAllowed: boolean): Value | undefined {
    const [a, b] = inputs as [Value, Value];
    if (a.kind === "forms" && b.kind === "forms") {
      if (node.op !== "mul") throw new Unencryptable("both of its sides depend on the record", "Use privacy: public.");
      if (tailAllowed) return undefined;
      return node.a === node.b ? this.quadratics.square(node, a, shape) : this.quadratics.multiply(node, a, b, shape);
    }
    const x = a.kind === "forms" ? a : forms(b);
    const fixed = broadcastTo(constant(a.kind === "forms" ? b : a), withBatch(shape, 1)).data;
    if (node.op === "mul" || (node.op === "div" && a.kind === "forms")) {
      const wide = this.levels.broadcast(x, x.level, a.kind === "forms" ? node.a : node.b, shape);
      const factor = (row: number) => (node.op === "mul" ? fixed[row]! : 1 / fixed[row]!);
      return { kind: "forms", level: x.level, shape, forms: scaleRows(wide, factor, () => 0) };
    }
    const exponent = fixed[0]!;
    const uniform = fixed.every((value) => value === exponent);
    if (node.op === "pow" && a.kind === "forms" && uniform) {
      if (exponent === 1) return x;
      if (tailAllowed) return undefined;
      if (exponent === 2) return this.quadratics.square(node, x, shape);
      if (exponent === 4) return this.quadratics.square(node, this.quadratics.square(node, x, shape), shape);
    }
    if (tailAllowed) return undefined;
    if ((node.op === "maximum" || node.op === "minimum") && uniform) {
      const f = binaryFunction(node.op, false);
      return this.quadratics.activation(node, x, (value) => f(value, exponent), shape);
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
    return this.quadratics.activation(node, x, unaryFunction(node), x.shape);
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
    const rows = parts.map((part, i) => this.levels.atLevel(part, level, ports[i]!.id));
    if (rows.length === 0) {
      throw new FluxError("model_invalid", "No output of this model depends on its input. Check the exported model.");
    }
    const normal = this.levels.stack.finish(rows.length === 1 ? rows[0]! : concatRows(rows));
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
    return { normal, tail, fitted: this.quadratics.fitted };
  }
}
