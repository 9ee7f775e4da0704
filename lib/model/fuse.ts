/**
 * Recognises activations that exporters spell out with simpler operators: GELU (erf and tanh forms), SiLU, Hard-Swish
 * and Mish. Each is a product of x with a gate, times a scalar, in any association:
 *
 *   gelu       x · ½ · (1 + erf(x / √2))          gelu/tanh  x · ½ · (1 + tanh(√(2/π) · (x + 0.044715·x³)))
 *   silu       x · sigmoid(x)                     hardSwish  x · ⅙ · clip(x + 3, 0, 6)  or  x · hardSigmoid(x)
 *   mish       x · tanh(softplus(x))
 *
 * Only the root of the product is replaced; what it no longer needs is dropped afterwards.
 */
import {
  type BinaryNode,
  elementCount,
  type Graph,
  type GraphNode,
  inputsOf,
  producersOf,
  type UnaryNode,
  type ValueId,
} from "./graph.ts";

/** Operators that a gate may end in. */
const GATES: ReadonlySet<string> = new Set(["sigmoid", "hardSigmoid", "clip", "tanh", "add"]);
/** From the tanh GELU's gate back to x: add, tanh, mul, add, mul, pow. */
const GATE_DEPTH = 6;
const PRODUCT_DEPTH = 4;

export function fuseActivations(graph: Graph): Graph {
  const reader = new Reader(graph);
  return { ...graph, nodes: graph.nodes.map((node) => reader.fused(node) ?? node) };
}

/** A value written as scale · Π factors, with at least one factor that is not constant. */
interface Product {
  readonly scale: number;
  readonly factors: readonly ValueId[];
}

/** Constants of activations come in float32. */
function close(a: number | undefined, b: number): boolean {
  return a !== undefined && Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));
}

class Reader {
  readonly #graph: Graph;
  readonly #producers: ReadonlyMap<ValueId, GraphNode>;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#producers = producersOf(graph);
  }

  fused(node: GraphNode): GraphNode | undefined {
    if (node.op !== "mul" && node.op !== "div") return undefined;
    // x may itself be a product, so every value that a gate could have been made of is tried as x.
    for (const gate of this.#product(node.output, undefined).factors) {
      if (!GATES.has(this.#producers.get(gate)?.op ?? "")) continue;
      for (const x of this.#ancestors(gate, GATE_DEPTH)) {
        const { scale, factors } = this.#product(node.output, x);
        const rest = factors.filter((factor) => factor !== gate);
        if (factors.length !== 2 || rest.length !== 1 || rest[0] !== x) continue;
        const fused = this.#gated({ name: node.name, output: node.output }, x, gate, scale);
        if (fused) return fused;
      }
    }
    return undefined;
  }

  /** Values up to `depth` nodes before this one, nearest first. */
  #ancestors(id: ValueId, depth: number): ReadonlySet<ValueId> {
    const found = new Set<ValueId>();
    let level: readonly ValueId[] = [id];
    for (let step = 0; step < depth; step++) {
      level = level.flatMap((value) => {
        const node = this.#producers.get(value);
        return node ? inputsOf(node).filter((input) => this.#scalar(input) === undefined) : [];
      });
      for (const value of level) found.add(value);
      level = [...new Set(level)];
    }
    return found;
  }

  /** x · gate · scale as one activation, where it is one. */
  #gated(base: Pick<GraphNode, "name" | "output">, x: ValueId, gate: ValueId, scale: number): UnaryNode | undefined {
    const gateNode = this.#producers.get(gate);
    if (!gateNode) return undefined;
    if (gateNode.op === "sigmoid" && gateNode.x === x && close(scale, 1)) {
      return { ...base, x, op: "silu", source: "SiLU" };
    }
    if (gateNode.op === "hardSigmoid" && gateNode.x === x && close(scale, 1)) {
      if (close(gateNode.alpha, 1 / 6) && close(gateNode.beta, 0.5)) {
        return { ...base, x, op: "hardSwish", source: "HardSwish" };
      }
    }
    if (gateNode.op === "clip" && close(scale, 1 / 6) && gateNode.min === 0 && gateNode.max === 6) {
      if (this.#isPlus(gateNode.x, x, 3)) return { ...base, x, op: "hardSwish", source: "HardSwish" };
    }
    if (gateNode.op === "tanh" && close(scale, 1)) {
      const inner = this.#producers.get(gateNode.x);
      if (inner?.op === "softplus" && inner.x === x) return { ...base, x, op: "mish", source: "Mish" };
    }
    if (gateNode.op === "add" && close(scale, 0.5)) {
      const approximate = this.#geluKind(gateNode, x);
      if (approximate) return { ...base, x, op: "gelu", approximate, source: "Gelu" };
    }
    return undefined;
  }

  /** Whether `add` is 1 + erf(x/√2) or 1 + tanh(√(2/π)·(x + 0.044715·x³)). */
  #geluKind(add: BinaryNode, x: ValueId): "none" | "tanh" | undefined {
    const squashed = this.#otherThan(add, 1);
    const squash = squashed && this.#producers.get(squashed);
    if (squash?.op !== "erf" && squash?.op !== "tanh") return undefined;
    const { scale, factors } = this.#product(squash.x, x);
    if (factors.length !== 1) return undefined;
    const inner = factors[0]!;
    if (squash.op === "erf") return inner === x && close(scale, Math.SQRT1_2) ? "none" : undefined;
    if (!close(scale, Math.sqrt(2 / Math.PI))) return undefined;
    const sum = this.#producers.get(inner);
    if (sum?.op !== "add") return undefined;
    const cubic = sum.a === x ? sum.b : sum.b === x ? sum.a : undefined;
    return cubic !== undefined && this.#isCubic(cubic, x) ? "tanh" : undefined;
  }

  /** 0.044715 · x³, the cube as a power or as a product. */
  #isCubic(id: ValueId, x: ValueId): boolean {
    const { scale, factors } = this.#product(id, x);
    if (!close(scale, 0.044715)) return false;
    if (factors.length === 3) return factors.every((factor) => factor === x);
    const power = factors.length === 1 ? this.#producers.get(factors[0]!) : undefined;
    return power?.op === "pow" && power.a === x && close(this.#scalar(power.b), 3);
  }

  #isPlus(id: ValueId, x: ValueId, addend: number): boolean {
    const node = this.#producers.get(id);
    return node?.op === "add" && this.#otherThan(node, addend) === x;
  }

  /** The operand beside the scalar `value`. */
  #otherThan(node: BinaryNode, value: number): ValueId | undefined {
    if (close(this.#scalar(node.a), value)) return node.b;
    if (close(this.#scalar(node.b), value)) return node.a;
    return undefined;
  }

  /** Flattens products and divisions by scalars, but not `stop`; deeper chains than an activation has are left alone. */
  #product(id: ValueId, stop: ValueId | undefined, depth = 0): Product {
    const scalar = this.#scalar(id);
    if (scalar !== undefined) return { scale: scalar, factors: [] };
    const node = id === stop || depth === PRODUCT_DEPTH ? undefined : this.#producers.get(id);
    if (node?.op === "mul") {
      const a = this.#product(node.a, stop, depth + 1);
      const b = this.#product(node.b, stop, depth + 1);
      return { scale: a.scale * b.scale, factors: [...a.factors, ...b.factors] };
    }
    const divisor = node?.op === "div" ? this.#scalar(node.b) : undefined;
    if (node?.op === "div" && divisor !== undefined && divisor !== 0) {
      const a = this.#product(node.a, stop, depth + 1);
      return { scale: a.scale / divisor, factors: a.factors };
    }
    return { scale: 1, factors: [id] };
  }

  /** The value of a one-element constant that broadcasts without adding axes to an activation. */
  #scalar(id: ValueId): number | undefined {
    const tensor = this.#graph.constants.get(id);
    return tensor && tensor.shape.length <= 1 && elementCount(tensor.shape) === 1 ? tensor.data[0] : undefined;
  }
}
