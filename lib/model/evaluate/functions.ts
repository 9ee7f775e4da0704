/** The elementwise functions of the graph as plain functions of one double. */
import type { BinaryOp, GraphNode, UnaryNode } from "../graph.ts";

type UnaryDraft<Node extends GraphNode = UnaryNode> = Node extends GraphNode ? Omit<Node, "output" | "x"> : never;

/** The function that a unary node applies to every element. */
export function unaryFunction(node: UnaryDraft): (x: number) => number {
  switch (node.op) {
    case "neg":
      return (x) => -x;
    case "abs":
      return Math.abs;
    case "exp":
      return Math.exp;
    case "log":
      return Math.log;
    case "sqrt":
      return Math.sqrt;
    case "reciprocal":
      return (x) => 1 / x;
    case "erf":
      return erf;
    case "relu":
      return (x) => Math.max(0, x);
    case "sigmoid":
      return sigmoid;
    case "tanh":
      return Math.tanh;
    case "softplus":
      return softplus;
    case "softsign":
      return (x) => x / (1 + Math.abs(x));
    case "silu":
      return (x) => x * sigmoid(x);
    case "mish":
      return (x) => x * Math.tanh(softplus(x));
    case "hardSwish":
      return (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5));
    case "sign":
      return Math.sign;
    case "floor":
      return Math.floor;
    case "ceil":
      return Math.ceil;
    case "round":
      return roundHalfToEven;
    case "sin":
      return Math.sin;
    case "cos":
      return Math.cos;
    case "leakyRelu": {
      const { alpha } = node;
      return (x) => (x < 0 ? alpha * x : x);
    }
    case "elu": {
      const { alpha } = node;
      return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
    }
    case "selu": {
      const { alpha, gamma } = node;
      return (x) => gamma * (x < 0 ? alpha * Math.expm1(x) : x);
    }
    case "hardSigmoid": {
      const { alpha, beta } = node;
      return (x) => Math.max(0, Math.min(1, alpha * x + beta));
    }
    case "clip": {
      const { min, max } = node;
      return (x) => Math.min(max, Math.max(min, x));
    }
    case "gelu":
      return node.approximate === "none"
        ? (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))
        : (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  }
}

/** The function of two elements; `integer` division truncates as ONNX's does. */
export function binaryFunction(op: BinaryOp, integer: boolean): (a: number, b: number) => number {
  switch (op) {
    case "add":
      return (a, b) => a + b;
    case "sub":
      return (a, b) => a - b;
    case "mul":
      return (a, b) => a * b;
    case "div":
      return integer ? (a, b) => Math.trunc(a / b) : (a, b) => a / b;
    case "pow":
      return (a, b) => a ** b;
    case "maximum":
      return Math.max;
    case "minimum":
      return Math.min;
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** log(1 + e^x) without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)) (Abramowitz & Stegun 7.1.6): all terms have one sign, so the
 * sum is accurate to the last bits. Beyond 6 the result is ±1 in double precision.
 */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size >= 6) return Math.sign(x);
  let term = size;
  let sum = size;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * size * size) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-size * size) * sum;
}
