/**
 * Removes the transposes that a channels-last model brings along. Every convolution and pool of such a model stands between
 * two of them (tensorflow/channels-last.ts); most of what lies between one operator's and the next one's does not care
 * about the order of axes. So each transpose is carried forward through such operators until it meets its inverse, and is
 * only written down where something needs the axes in their named order.
 */
import { GraphBuilder } from "./builder.ts";
import { elementCount, type Graph, type GraphNode, inputsOf, isUnary, type Tensor, type ValueId } from "./graph.ts";
import type { NodeDraft } from "./shapes.ts";

/** A value of the old graph as a value of the new one with its axes permuted: old axis i is axis perm[i] of `base`. */
interface View {
  readonly base: ValueId;
  readonly perm: readonly number[];
}

export function removeTransposes(graph: Graph): Graph {
  if (!graph.nodes.some((node) => node.op === "transpose")) return graph;
  return new Carrier(graph).run();
}

class Carrier {
  readonly #graph: Graph;
  readonly #builder: GraphBuilder;
  readonly #views = new Map<ValueId, View>();
  /** Values in their own order of axes, by the old id. */
  readonly #plain = new Map<ValueId, ValueId>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#builder = new GraphBuilder(graph.name);
  }

  run(): Graph {
    for (const { id, name, shape, dtype } of this.#graph.inputs) {
      this.#plain.set(id, this.#builder.input(name, shape, dtype));
    }
    for (const [id, tensor] of this.#graph.constants) {
      this.#plain.set(id, this.#builder.constant(id, tensor, this.#graph.values.get(id)!.dtype));
    }
    for (const node of this.#graph.nodes) this.#node(node);
    for (const { id, name } of this.#graph.outputs) this.#builder.output(name, this.#value(id));
    return this.#builder.build({ fuse: false });
  }

  #node(node: GraphNode): void {
    const view = this.#carried(node);
    if (!view) {
      this.#plain.set(node.output, this.#builder.add(this.#onPlainInputs(node), node.output));
    } else if (view.perm.every((axis, i) => axis === i)) this.#plain.set(node.output, view.base);
    else this.#views.set(node.output, view);
  }

  /** The node done on the permuted values, where its operator does not care; undefined where it does. */
  #carried(node: GraphNode): View | undefined {
    if (node.op === "transpose") {
      const { base, perm } = this.#viewOf(node.x);
      return { base, perm: node.perm.map((axis) => perm[axis]!) };
    }
    const view = inputsOf(node)
      .map((id) => this.#views.get(id))
      .find((found) => found !== undefined);
    if (!view) return undefined;
    const draft = this.#permuted(node, view);
    return draft && { base: this.#builder.add(draft, node.output), perm: view.perm };
  }

  #permuted(node: GraphNode, { base, perm }: View): NodeDraft | undefined {
    const spread = <Item>(list: readonly Item[]): Item[] => {
      const spreadList = [...list];
      for (const [i, axis] of perm.entries()) spreadList[axis] = list[i]!;
      return spreadList;
    };
    if (isUnary(node) || node.op === "cast") return { ...node, x: base };
    switch (node.op) {
      case "batchNormalization": {
        const parameter = (id: ValueId) => this.#value(id);
        const { scale, bias, mean, variance } = node;
        return {
          ...node,
          x: base,
          axis: perm[node.axis]!,
          scale: parameter(scale),
          bias: parameter(bias),
          mean: parameter(mean),
          variance: parameter(variance),
        };
      }
      case "pad":
        return { ...node, x: base, before: spread(node.before), after: spread(node.after) };
      case "slice":
        return {
          ...node,
          x: base,
          starts: spread(node.starts),
          steps: spread(node.steps),
          counts: spread(node.counts),
        };
      case "concat": {
        const inputs = node.inputs.map((id) => this.#aligned(id, perm));
        return inputs.every((id) => id !== undefined) ? { ...node, inputs, axis: perm[node.axis]! } : undefined;
      }
      case "add":
      case "sub":
      case "mul":
      case "div":
      case "pow":
      case "maximum":
      case "minimum": {
        const [a, b] = [this.#aligned(node.a, perm), this.#aligned(node.b, perm)];
        return a !== undefined && b !== undefined ? { ...node, a, b } : undefined;
      }
      default:
        return undefined;
    }
  }

  /** An operand in the permuted order: another value under the same permutation, or a constant that varies along one axis. */
  #aligned(id: ValueId, perm: readonly number[]): ValueId | undefined {
    const view = this.#views.get(id);
    if (view) return samePerm(view.perm, perm) ? view.base : undefined;
    const tensor = this.#graph.constants.get(id);
    if (!tensor) return undefined;
    if (elementCount(tensor.shape) === 1 && tensor.shape.length <= 1) return this.#value(id);
    return this.#permutedConstant(id, tensor, perm);
  }

  #permutedConstant(id: ValueId, tensor: Tensor, perm: readonly number[]): ValueId | undefined {
    if (tensor.shape.length > perm.length || tensor.shape.filter((dim) => dim !== 1).length > 1) return undefined;
    const shape = new Array<number>(perm.length).fill(1);
    for (const [i, dim] of tensor.shape.entries()) shape[perm[perm.length - tensor.shape.length + i]!] = dim;
    return this.#builder.constant(`${id}/permuted`, { shape, data: tensor.data }, this.#graph.values.get(id)!.dtype);
  }

  #viewOf(id: ValueId): View {
    const view = this.#views.get(id);
    if (view) return view;
    const rank = this.#graph.values.get(id)!.shape.length;
    return { base: this.#value(id), perm: Array.from({ length: rank }, (_, axis) => axis) };
  }

  /** The value in its own order; a carried transpose is written down, once. */
  #value(id: ValueId): ValueId {
    const known = this.#plain.get(id);
    if (known !== undefined) return known;
    const { base, perm } = this.#views.get(id)!;
    const draft = { op: "transpose", x: base, perm, name: `${id}/transpose`, source: "Transpose" } as const;
    const value = this.#builder.add(draft, `${id}/transpose`);
    this.#plain.set(id, value);
    return value;
  }

  #onPlainInputs(node: GraphNode): NodeDraft {
    const value = (id: ValueId) => this.#value(id);
    switch (node.op) {
      case "add":
      case "sub":
      case "mul":
      case "div":
      case "pow":
      case "maximum":
      case "minimum":
      case "matMul":
        return { ...node, a: value(node.a), b: value(node.b) };
      case "gemm":
        return { ...node, a: value(node.a), b: value(node.b), c: node.c && value(node.c) };
      case "conv":
        return { ...node, x: value(node.x), weights: value(node.weights), bias: node.bias && value(node.bias) };
      case "batchNormalization":
        return {
          ...node,
          x: value(node.x),
          scale: value(node.scale),
          bias: value(node.bias),
          mean: value(node.mean),
          variance: value(node.variance),
        };
      case "concat":
        return { ...node, inputs: node.inputs.map(value) };
      default:
        return { ...node, x: value(node.x) };
    }
  }
}

function samePerm(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i]);
}
