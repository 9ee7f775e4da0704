/**
 * Type and shape of a node's output from those of its inputs, with the batch axis symbolic.
 *
 * A node that would let one record see another (a reduction, softmax, slice… over the batch axis) is refused here, for
 * every importer: records of one batch belong to different microtasks and different lanes.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import {
  BATCH,
  type Dim,
  type DType,
  describeNode,
  type ExpandNode,
  elementCount,
  formatShape,
  type GraphNode,
  isStatic,
  recordElements,
  type Shape,
  type ValueId,
  type ValueInfo,
} from "./graph.ts";
import { windowCount } from "./window.ts";

/** A node whose output has no id yet. */
export type NodeDraft<Node extends GraphNode = GraphNode> = Node extends GraphNode ? Omit<Node, "output"> : never;

/** Throws FluxError `model_invalid` (contradiction) or `model_unsupported` (records would mix). */
export function inferOutput(node: NodeDraft, info: (id: ValueId) => ValueInfo): ValueInfo {
  switch (node.op) {
    case "cast":
      return { dtype: node.to, shape: info(node.x).shape };
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "pow":
    case "maximum":
    case "minimum": {
      const a = info(node.a);
      const b = info(node.b);
      return { dtype: a.dtype, shape: broadcastShapes(node, a.shape, b.shape) };
    }
    case "matMul":
      return { dtype: info(node.a).dtype, shape: matMulShape(node, info(node.a).shape, info(node.b).shape) };
    case "gemm":
      return { dtype: info(node.a).dtype, shape: gemmShape(node, info) };
    case "conv":
      return { dtype: info(node.x).dtype, shape: convShape(node, info) };
    case "averagePool":
    case "maxPool":
      return { dtype: info(node.x).dtype, shape: poolShape(node, info(node.x).shape) };
    case "batchNormalization":
      return { dtype: info(node.x).dtype, shape: batchNormalizationShape(node, info) };
    case "reduceMean":
    case "reduceSum":
    case "reduceMax":
    case "reduceMin":
    case "reduceProd":
      return { dtype: info(node.x).dtype, shape: reducedShape(node, info(node.x).shape, node.axes, node.keepDims) };
    case "argMax":
      return { dtype: "int64", shape: reducedShape(node, info(node.x).shape, [node.axis], node.keepDims) };
    case "softmax":
    case "logSoftmax":
      recordAxis(node, info(node.x).shape, node.axis);
      return info(node.x);
    case "reshape":
      checkReshape(node, info(node.x).shape, node.shape);
      return { dtype: info(node.x).dtype, shape: node.shape };
    case "transpose":
      return { dtype: info(node.x).dtype, shape: transposedShape(node, info(node.x).shape) };
    case "concat":
      return { dtype: info(node.inputs[0]!).dtype, shape: concatShape(node, node.inputs.map(info)) };
    case "slice":
      return { dtype: info(node.x).dtype, shape: slicedShape(node, info(node.x).shape) };
    case "gather":
      return { dtype: info(node.x).dtype, shape: gatheredShape(node, info(node.x).shape) };
    case "pad":
      return { dtype: info(node.x).dtype, shape: paddedShape(node, info(node.x).shape) };
    case "expand":
      return { dtype: info(node.x).dtype, shape: expandedShape(node, info(node.x).shape) };
    default:
      return info(node.x);
  }
}

// ---------------------------------------------------------------- refusals

type Named = Pick<GraphNode, "name" | "source">;

export function invalid(node: Named, why: string): FluxError {
  return new FluxError(
    "model_invalid",
    `${describeNode(node)}: ${why}. Check the model with its own framework, then export it again.`,
    { param: node.name },
  );
}

export function unsupported(node: Named, why: string, remedy: string): FluxError {
  return new FluxError("model_unsupported", `${describeNode(node)}: ${why}. ${remedy}`, { param: node.name });
}

function mixesRecords(node: Named, what: string): FluxError {
  return unsupported(
    node,
    `${what} the batch axis, so one record's answer would depend on others`,
    "Keep axis 0 for the records and let every operator work on the axes after it.",
  );
}

/** The length of an axis that must lie inside a record. */
function recordAxis(node: Named, shape: Shape, axis: number): number {
  const dim = shape[axis];
  if (dim === undefined) throw invalid(node, `axis ${axis} does not exist in ${formatShape(shape)}`);
  if (dim === BATCH) throw mixesRecords(node, "it works along");
  return dim;
}

// ---------------------------------------------------------------- per operator

/** NumPy broadcasting; the batch axis only meets itself or 1. */
export function broadcastShapes(node: Named, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const shape: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left === right || right === 1) shape.push(left);
    else if (left === 1) shape.push(right);
    else if (left === BATCH || right === BATCH) {
      throw unsupported(
        node,
        `${formatShape(a)} and ${formatShape(b)} meet a fixed length with the batch axis`,
        "Export the model with a dynamic batch axis (batch size 1 while tracing), so that no batch size is baked in.",
      );
    } else throw invalid(node, `${formatShape(a)} and ${formatShape(b)} do not broadcast`);
  }
  return shape;
}

function matMulShape(node: Named, a: Shape, b: Shape): Shape {
  if (a.length === 0 || b.length === 0) throw invalid(node, "a matrix product needs at least one axis on both sides");
  const left: Shape = a.length === 1 ? [1, ...a] : a;
  const right: Shape = b.length === 1 ? [...b, 1] : b;
  const inner = left[left.length - 1]!;
  const innerRight = right[right.length - 2]!;
  if (inner === BATCH || innerRight === BATCH) throw mixesRecords(node, "it sums over");
  if (inner !== innerRight) throw invalid(node, `${formatShape(a)} × ${formatShape(b)} do not fit`);
  const shape: Dim[] = [...broadcastShapes(node, left.slice(0, -2), right.slice(0, -2))];
  if (a.length > 1) shape.push(left[left.length - 2]!);
  if (b.length > 1) shape.push(right[right.length - 1]!);
  return shape;
}

function gemmShape(node: NodeDraft & { op: "gemm" }, info: (id: ValueId) => ValueInfo): Shape {
  const a = info(node.a).shape;
  const b = info(node.b).shape;
  if (a.length !== 2 || b.length !== 2)
    throw invalid(node, `needs matrices, got ${formatShape(a)} × ${formatShape(b)}`);
  const [rows, inner] = node.transA ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
  const [innerRight, columns] = node.transB ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
  const shape = matMulShape(node, [rows, inner], [innerRight, columns]);
  if (node.c !== undefined) {
    const c = info(node.c).shape;
    if (formatShape(broadcastShapes(node, shape, c)) !== formatShape(shape)) {
      throw invalid(node, `the bias ${formatShape(c)} does not broadcast to ${formatShape(shape)}`);
    }
  }
  return shape;
}

function spatialLengths(node: Named, x: Shape): readonly number[] {
  const spatial = x.slice(2);
  if (x.length < 3 || !isStatic(spatial)) {
    throw invalid(node, `needs [batch, channels, length…], got ${formatShape(x)}`);
  }
  return spatial;
}

function convShape(node: NodeDraft & { op: "conv" }, info: (id: ValueId) => ValueInfo): Shape {
  const x = info(node.x).shape;
  const weights = info(node.weights).shape;
  const spatial = spatialLengths(node, x);
  const channels = recordAxis(node, x, 1);
  if (!isStatic(weights) || weights.length !== x.length) {
    throw invalid(node, `the weights ${formatShape(weights)} do not fit the input ${formatShape(x)}`);
  }
  const filters = weights[0]!;
  if (channels !== weights[1]! * node.groups || filters % node.groups !== 0) {
    throw invalid(
      node,
      `${channels} channels do not fit weights ${formatShape(weights)} in ${node.groups} group${node.groups > 1 ? "s" : ""}`,
    );
  }
  if (node.window.kernel.some((length, axis) => length !== weights[axis + 2])) {
    throw invalid(
      node,
      `kernel_shape ${formatShape(node.window.kernel)} contradicts the weights ${formatShape(weights)}`,
    );
  }
  if (node.bias !== undefined && formatShape(info(node.bias).shape) !== formatShape([filters])) {
    throw invalid(node, `the bias must be [${filters}], got ${formatShape(info(node.bias).shape)}`);
  }
  return [x[0]!, filters, ...windowCounts(node, node.window, spatial, false)];
}

function poolShape(node: NodeDraft & { op: "averagePool" | "maxPool" }, x: Shape): Shape {
  const spatial = spatialLengths(node, x);
  return [x[0]!, recordAxis(node, x, 1), ...windowCounts(node, node.window, spatial, node.ceilMode)];
}

function windowCounts(
  node: Named,
  window: (NodeDraft & { op: "conv" })["window"],
  spatial: readonly number[],
  ceilMode: boolean,
): readonly number[] {
  const lists = [window.kernel, window.strides, window.dilations, window.padsBegin, window.padsEnd];
  if (lists.some((list) => list.length !== spatial.length)) {
    throw invalid(node, `kernel, strides, dilations and pads need ${spatial.length} entries each`);
  }
  if ([window.kernel, window.strides, window.dilations].some((list) => list.some((entry) => entry < 1))) {
    throw invalid(node, "kernel, strides and dilations must be at least 1");
  }
  if ([window.padsBegin, window.padsEnd].some((list) => list.some((entry) => entry < 0))) {
    throw unsupported(node, "has negative padding", "Crop with a Slice before it.");
  }
  return spatial.map((length, axis) => {
    const count = windowCount(window, axis, length, ceilMode);
    if (count < 1) throw invalid(node, `the window is larger than the input ${formatShape(spatial)}`);
    return count;
  });
}

function batchNormalizationShape(
  node: NodeDraft & { op: "batchNormalization" },
  info: (id: ValueId) => ValueInfo,
): Shape {
  const x = info(node.x).shape;
  const channels = recordAxis(node, x, node.axis);
  for (const id of [node.scale, node.bias, node.mean, node.variance]) {
    const shape = info(id).shape;
    if (shape.length !== 1 || shape[0] !== channels) {
      throw invalid(node, `its parameters must be [${channels}], got ${formatShape(shape)}`);
    }
  }
  return x;
}

function reducedShape(node: Named, x: Shape, axes: readonly number[], keepDims: boolean): Shape {
  for (const axis of axes) {
    if (recordAxis(node, x, axis) === 0) throw invalid(node, `reduces the empty axis ${axis} of ${formatShape(x)}`);
  }
  const reduced = new Set(axes);
  return keepDims ? x.map((dim, axis) => (reduced.has(axis) ? 1 : dim)) : x.filter((_, axis) => !reduced.has(axis));
}

/** A reshape must keep each record's elements together: as many elements behind the batch axis as before. */
function checkReshape(node: Named, from: Shape, to: Shape): void {
  const fromBatch = from.indexOf(BATCH);
  const toBatch = to.indexOf(BATCH);
  if (recordElements(from) !== recordElements(to) || fromBatch < 0 !== toBatch < 0) {
    throw invalid(node, `${formatShape(from)} cannot become ${formatShape(to)}`);
  }
  if (recordElements(from.slice(fromBatch + 1)) !== recordElements(to.slice(toBatch + 1))) {
    throw mixesRecords(node, `turning ${formatShape(from)} into ${formatShape(to)} it shuffles`);
  }
}

function transposedShape(node: NodeDraft & { op: "transpose" }, x: Shape): Shape {
  const seen = new Set(node.perm);
  if (seen.size !== x.length || node.perm.length !== x.length || node.perm.some((axis) => x[axis] === undefined)) {
    throw invalid(node, `perm ${formatShape(node.perm)} does not permute ${formatShape(x)}`);
  }
  return node.perm.map((axis) => x[axis]!);
}

function concatShape(node: NodeDraft & { op: "concat" }, inputs: readonly ValueInfo[]): Shape {
  const first = inputs[0]!.shape;
  let total = 0;
  for (const { shape } of inputs) {
    total += recordAxis(node, shape, node.axis);
    if (shape.length !== first.length || shape.some((dim, axis) => axis !== node.axis && dim !== first[axis])) {
      throw invalid(node, `${formatShape(shape)} and ${formatShape(first)} differ beside axis ${node.axis}`);
    }
  }
  return first.map((dim, axis) => (axis === node.axis ? total : dim));
}

function slicedShape(node: NodeDraft & { op: "slice" }, x: Shape): Shape {
  return x.map((dim, axis) => {
    const start = node.starts[axis]!;
    const step = node.steps[axis]!;
    const count = node.counts[axis]!;
    if (dim === BATCH) {
      if (start !== 0 || step !== 1 || count !== BATCH) throw mixesRecords(node, "it slices");
      return BATCH;
    }
    if (count === BATCH) throw invalid(node, "slices a fixed axis by the batch");
    const last = start + (count - 1) * step;
    if (count > 0 && (start < 0 || start >= dim || last < 0 || last >= dim)) {
      throw invalid(node, `reads outside axis ${axis} of ${formatShape(x)}`);
    }
    return count;
  });
}

function gatheredShape(node: NodeDraft & { op: "gather" }, x: Shape): Shape {
  const length = recordAxis(node, x, node.axis);
  if (node.indices.length !== elementCount(node.indicesShape))
    throw invalid(node, "its indices do not fill their shape");
  const outside = node.indices.find((index) => !Number.isInteger(index) || index < 0 || index >= length);
  if (outside !== undefined) throw invalid(node, `index ${outside} is outside axis ${node.axis} of ${formatShape(x)}`);
  return [...x.slice(0, node.axis), ...node.indicesShape, ...x.slice(node.axis + 1)];
}

function paddedShape(node: NodeDraft & { op: "pad" }, x: Shape): Shape {
  return x.map((dim, axis) => {
    const before = node.before[axis] ?? 0;
    const after = node.after[axis] ?? 0;
    if (before === 0 && after === 0) return dim;
    const length = recordAxis(node, x, axis);
    if (before < 0 || after < 0) throw unsupported(node, "has negative padding", "Crop with a Slice instead.");
    if (node.mode === "reflect" && (before >= length || after >= length)) {
      throw invalid(node, `reflects more than axis ${axis} of ${formatShape(x)} has`);
    }
    return before + length + after;
  });
}

function expandedShape(node: NodeDraft<ExpandNode>, x: Shape): Shape {
  const shape = broadcastShapes(node, x, node.shape);
  if (formatShape(shape) !== formatShape(node.shape)) {
    throw invalid(node, `${formatShape(x)} does not expand to ${formatShape(node.shape)}`);
  }
  return shape;
}

const INTEGER_DTYPES: ReadonlySet<DType> = new Set([
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
]);
export function isIntegerDtype(dtype: DType): boolean {
  return INTEGER_DTYPES.has(dtype);
}
