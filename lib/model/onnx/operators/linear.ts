/** ONNX products, convolutions, pooling and normalization. */
import type { ValueId, Window } from "../../graph.ts";
import { type AutoPad, resolveAutoPad } from "../../window.ts";
import type { NodeReader } from "../node.ts";
import type { OperatorTable } from "./table.ts";

export const LINEAR: OperatorTable = {
  MatMul: (node) => node.add({ op: "matMul", a: node.value(0), b: node.value(1) }),
  Gemm: (node) => {
    // Opset 6 had to be told to broadcast the bias; later ones always do.
    if (node.scope.opset < 7) node.flag("broadcast");
    return node.add({
      op: "gemm",
      a: node.value(0),
      b: node.value(1),
      c: node.optional(2),
      alpha: node.float("alpha", 1),
      beta: node.float("beta", 1),
      transA: node.flag("transA"),
      transB: node.flag("transB"),
    });
  },
  Conv: conv,
  AveragePool: (node) => pool(node, "averagePool"),
  MaxPool: (node) => {
    node.int("storage_order");
    return [pool(node, "maxPool"), undefined];
  },
  GlobalAveragePool: (node) => globalPool(node, "reduceMean"),
  GlobalMaxPool: (node) => globalPool(node, "reduceMax"),
  BatchNormalization: batchNormalization,
};

function conv(node: NodeReader): ValueId {
  const x = node.value(0);
  const weights = node.value(1);
  node.constant(1);
  const declared = node.ints("kernel_shape");
  const kernel = declared ?? node.inputShape(1).slice(2).map(Number);
  return node.add({
    op: "conv",
    x,
    weights,
    bias: node.optional(2),
    window: window(node, kernel, node.ints("dilations")),
    groups: node.int("group", 1),
  });
}

function pool(node: NodeReader, op: "averagePool" | "maxPool"): ValueId {
  const kernel = node.ints("kernel_shape");
  if (!kernel) throw node.invalid("has no kernel_shape");
  return node.add({
    op,
    x: node.value(0),
    window: window(node, kernel, node.ints("dilations")),
    ceilMode: node.flag("ceil_mode"),
    countIncludePad: op === "averagePool" && node.flag("count_include_pad"),
  });
}

/** Window attributes with defaults filled in and auto_pad turned to numbers. */
function window(node: NodeReader, kernel: readonly number[], dilationList: readonly number[] | undefined): Window {
  const ones = kernel.map(() => 1);
  const dilations = dilationList ?? ones;
  const strides = node.ints("strides") ?? ones;
  const autoPad = node.text("auto_pad", "NOTSET");
  const pads = node.ints("pads");
  if (!isAutoPad(autoPad)) throw node.invalid(`auto_pad is "${autoPad}"`);
  if (autoPad === "NOTSET") {
    const list = pads ?? kernel.flatMap(() => [0, 0]);
    if (list.length !== 2 * kernel.length) throw node.invalid(`pads need ${2 * kernel.length} entries`);
    return {
      kernel,
      strides,
      dilations,
      padsBegin: list.slice(0, kernel.length),
      padsEnd: list.slice(kernel.length),
    };
  }
  if (pads?.some((entry) => entry !== 0)) throw node.invalid(`has both pads and auto_pad ${autoPad}`);
  if ([...kernel, ...strides, ...dilations].some((entry) => entry < 1)) {
    throw node.invalid("kernel, strides and dilations must be at least 1");
  }
  const spatial = node.inputShape(0).slice(2).map(Number);
  if (spatial.length !== kernel.length) throw node.invalid(`a kernel of ${kernel.length} axes does not fit the input`);
  return { kernel, strides, dilations, ...resolveAutoPad(autoPad, spatial, { kernel, strides, dilations }) };
}

function isAutoPad(text: string): text is AutoPad {
  return text === "NOTSET" || text === "VALID" || text === "SAME_UPPER" || text === "SAME_LOWER";
}

function globalPool(node: NodeReader, op: "reduceMean" | "reduceMax"): ValueId {
  const axes = Array.from({ length: node.rank(0) - 2 }, (_, i) => i + 2);
  if (axes.length < 1) throw node.invalid("needs [batch, channels, length…]");
  return node.add({ op, x: node.value(0), axes, keepDims: true });
}

function batchNormalization(node: NodeReader): ValueId {
  node.float("momentum");
  node.int("is_test");
  if (node.flag("training_mode") || node.outputs.slice(1).some((name) => name !== "")) {
    throw node.unsupported("is in training mode", "Call model.eval() before the export.");
  }
  if (!node.flag("spatial", true)) {
    throw node.unsupported("normalizes per element (spatial=0)", "Export with opset 9 or later.");
  }
  return node.add({
    op: "batchNormalization",
    x: node.value(0),
    scale: node.value(1),
    bias: node.value(2),
    mean: node.value(3),
    variance: node.value(4),
    axis: 1,
    epsilon: node.float("epsilon", 1e-5),
  });
}
