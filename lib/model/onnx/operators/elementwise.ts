/** ONNX operators that work element by element, and casts. */
import type { BinaryOp, ValueId } from "../../graph.ts";
import { dtypeOfCode } from "../dtypes.ts";
import type { NodeReader } from "../node.ts";
import { dimsOperand } from "../node.ts";
import type { OperatorTable } from "./table.ts";

/** Operators of one input and no attributes. */
const PLAIN = {
  Neg: "neg",
  Abs: "abs",
  Exp: "exp",
  Log: "log",
  Sqrt: "sqrt",
  Reciprocal: "reciprocal",
  Erf: "erf",
  Relu: "relu",
  Sigmoid: "sigmoid",
  Tanh: "tanh",
  Softplus: "softplus",
  Softsign: "softsign",
  Mish: "mish",
  HardSwish: "hardSwish",
  Sign: "sign",
  Floor: "floor",
  Ceil: "ceil",
  Round: "round",
  Sin: "sin",
  Cos: "cos",
} as const;

const BINARY: Readonly<Record<string, BinaryOp>> = { Add: "add", Sub: "sub", Mul: "mul", Div: "div", Pow: "pow" };

export const ELEMENTWISE: OperatorTable = {
  ...Object.fromEntries(
    Object.entries(PLAIN).map(([name, op]) => [name, (node: NodeReader) => node.add({ op, x: node.value(0) })]),
  ),
  ...Object.fromEntries(
    Object.entries(BINARY).map(([name, op]) => [
      name,
      (node: NodeReader) => node.add({ op, a: node.value(0), b: legacyBroadcast(node) }),
    ]),
  ),
  LeakyRelu: (node) => node.add({ op: "leakyRelu", x: node.value(0), alpha: node.float("alpha", 0.01) }),
  Elu: (node) => node.add({ op: "elu", x: node.value(0), alpha: node.float("alpha", 1) }),
  Selu: (node) =>
    node.add({
      op: "selu",
      x: node.value(0),
      alpha: node.float("alpha", 1.6732632423543772),
      gamma: node.float("gamma", 1.0507009873554805),
    }),
  HardSigmoid: (node) =>
    node.add({ op: "hardSigmoid", x: node.value(0), alpha: node.float("alpha", 0.2), beta: node.float("beta", 0.5) }),
  Gelu: (node) => {
    const approximate = node.text("approximate", "none");
    if (approximate !== "none" && approximate !== "tanh") throw node.invalid(`approximate is "${approximate}"`);
    return node.add({ op: "gelu", x: node.value(0), approximate });
  },
  Clip: clip,
  PRelu: prelu,
  Max: (node) => variadic(node, "maximum"),
  Min: (node) => variadic(node, "minimum"),
  Sum: (node) => variadic(node, "add"),
  Mean: (node) => {
    if (node.inputCount === 1) return node.value(0);
    return node.add({ op: "div", a: variadic(node, "add"), b: node.number32(node.inputCount) });
  },
  Cast: (node) => {
    const operand = node.operand(0);
    const to = dtypeOfCode(node.int("to", 0));
    node.int("saturate");
    if (!to) throw node.unsupported("casts to a type that is not a number", "Cast to float32 instead.");
    if (operand.kind === "dims") return operand;
    const { dtype } = node.builder.info(operand.id);
    return dtype === to ? operand.id : node.add({ op: "cast", x: operand.id, to });
  },
  Identity: (node) => node.operand(0),
  Dropout: (node) => {
    node.float("ratio");
    node.int("seed");
    node.int("is_test");
    if (node.has(2) && node.number(2) !== 0) {
      throw node.unsupported("is in training mode", "Call model.eval() before the export.");
    }
    return node.operand(0);
  },
  Constant: constant,
};

/**
 * The second operand. Opset 6 aligned it with the first at `axis` (default: the last axes) when `broadcast` was set; since
 * opset 7 NumPy's rules hold.
 */
function legacyBroadcast(node: NodeReader): ValueId {
  const b = node.value(1);
  if (node.scope.opset >= 7) return b;
  const axis = node.int("axis");
  if (!node.flag("broadcast") || axis === undefined) return b;
  const shape = node.shape(b);
  const trailing = node.rank(0) - node.axis(axis, node.rank(0)) - shape.length;
  if (trailing < 0) throw node.invalid("its second operand does not fit where it is to be broadcast");
  const aligned = [...shape, ...new Array<number>(trailing).fill(1)];
  return node.add({ op: "reshape", x: b, shape: aligned }, `${node.name}/aligned`);
}

function variadic(node: NodeReader, op: BinaryOp): ValueId {
  let result = node.value(0);
  for (let index = 1; index < node.inputCount; index++) {
    result = node.add({ op, a: result, b: node.value(index) });
  }
  return result;
}

/** Bounds are attributes before opset 11 and inputs since. */
function clip(node: NodeReader): ValueId {
  const min = node.float("min") ?? (node.has(1) ? node.number(1) : Number.NEGATIVE_INFINITY);
  const max = node.float("max") ?? (node.has(2) ? node.number(2) : Number.POSITIVE_INFINITY);
  return node.add({ op: "clip", x: node.value(0), min, max });
}

/** x < 0 ? slope·x : x. One slope for all is a LeakyRelu; else relu(x) + slope · min(x, 0). */
function prelu(node: NodeReader): ValueId {
  const x = node.value(0);
  const slope = node.constant(1);
  if (node.scope.opset < 7 && slope.data.length > 1) {
    throw node.unsupported("pairs slopes with channels as opset 6 did", "Export with opset 17.");
  }
  const [first] = slope.data;
  if (first !== undefined && slope.data.every((value) => value === first)) {
    return node.add({ op: "leakyRelu", x, alpha: first });
  }
  const positive = node.add({ op: "relu", x }, `${node.name}/positive`);
  const negative = node.add({ op: "minimum", a: x, b: node.number32(0) }, `${node.name}/negative`);
  const scaled = node.add({ op: "mul", a: negative, b: node.value(1) }, `${node.name}/scaled`);
  return node.add({ op: "add", a: positive, b: scaled });
}

function constant(node: NodeReader) {
  const literal = node.tensor("value");
  if (literal) return node.builder.constant(node.outputs[0] ?? node.name, literal.tensor, literal.dtype);
  const int = node.int("value_int");
  if (int !== undefined) return dimsOperand(node, [int], true);
  const ints = node.ints("value_ints");
  if (ints) return dimsOperand(node, ints);
  const float = node.float("value_float");
  const floats = node.floats("value_floats") ?? (float === undefined ? undefined : [float]);
  if (!floats)
    throw node.unsupported("holds text or sparse values", "Export the model without text or sparse constants.");
  const shape = float === undefined ? [floats.length] : [];
  return node.builder.constant(node.outputs[0] ?? node.name, { shape, data: Float32Array.from(floats) });
}
