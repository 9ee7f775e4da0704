/** ONNX reductions, softmax and argmax. */
import { BATCH, type ReduceNode, type ValueId } from "../../graph.ts";
import type { NodeReader } from "../node.ts";
import type { OperatorTable } from "./table.ts";

export const REDUCTIONS: OperatorTable = {
  ReduceMean: (node) => reduce(node, "reduceMean", node.value(0)),
  ReduceSum: (node) => reduce(node, "reduceSum", node.value(0)),
  ReduceMax: (node) => reduce(node, "reduceMax", node.value(0)),
  ReduceMin: (node) => reduce(node, "reduceMin", node.value(0)),
  ReduceProd: (node) => reduce(node, "reduceProd", node.value(0)),
  ReduceSumSquare: (node) => reduce(node, "reduceSum", squares(node)),
  ReduceL1: (node) => reduce(node, "reduceSum", node.add({ op: "abs", x: node.value(0) }, `${node.name}/absolute`)),
  ReduceL2: (node) => node.add({ op: "sqrt", x: reduce(node, "reduceSum", squares(node), `${node.name}/squared`) }),
  Softmax: (node) => softmax(node, "softmax"),
  LogSoftmax: (node) => softmax(node, "logSoftmax"),
  ArgMax: (node) => argMax(node, node.value(0)),
  ArgMin: (node) => argMax(node, node.add({ op: "neg", x: node.value(0) }, `${node.name}/negated`)),
};

function squares(node: NodeReader): ValueId {
  return node.add({ op: "mul", a: node.value(0), b: node.value(0) }, `${node.name}/squares`);
}

/** Axes are an attribute up to opset 17 (ReduceSum: 12) and an input since; none means all, or no reduction if asked. */
function reduce(node: NodeReader, op: ReduceNode["op"], x: ValueId, id?: string): ValueId {
  const rank = node.rank(0);
  const listed = node.ints("axes") ?? node.optionalIntegers(1) ?? [];
  const keepDims = node.flag("keepdims", true);
  const nothing = node.flag("noop_with_empty_axes");
  if (listed.length === 0 && nothing) return x;
  const axes = listed.length > 0 ? node.axes(listed, rank) : Array.from({ length: rank }, (_, axis) => axis);
  return axes.length === 0 ? x : node.add({ op, x, axes, keepDims }, id);
}

/** Before opset 13 softmax flattens all axes from `axis` on (default 1); since then it works along one (default −1). */
function softmax(node: NodeReader, op: "softmax" | "logSoftmax"): ValueId {
  const x = node.value(0);
  const shape = node.inputShape(0);
  const old = node.scope.opset < 13;
  const axis = node.axis(node.int("axis", old ? 1 : -1), shape.length);
  const tail = shape.slice(axis);
  if (!old || tail.length <= 1 || tail.slice(1).every((dim) => dim === 1)) return node.add({ op, x, axis });
  if (tail.includes(BATCH)) throw node.unsupported("normalizes over the batch axis", "Keep axis 0 for the records.");
  const flat = tail.reduce<number>((product, dim) => product * Number(dim), 1);
  const rows = node.add({ op: "reshape", x, shape: [...shape.slice(0, axis), flat] }, `${node.name}/flat`);
  const normalized = node.add({ op, x: rows, axis }, `${node.name}/normalized`);
  return node.add({ op: "reshape", x: normalized, shape });
}

function argMax(node: NodeReader, x: ValueId): ValueId {
  return node.add({
    op: "argMax",
    x,
    axis: node.axis(node.int("axis", 0), node.rank(0)),
    keepDims: node.flag("keepdims", true),
    selectLast: node.flag("select_last_index"),
  });
}
