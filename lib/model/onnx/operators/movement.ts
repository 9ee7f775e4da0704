/** ONNX operators that move values; those that shape arithmetic uses also work on axis lengths with the batch in them. */
import { BATCH, type Dim, elementCount, isStatic, recordElements, type Shape, type ValueId } from "../../graph.ts";
import type { Operand } from "../../operand.ts";
import { dimsOperand, type NodeReader } from "../node.ts";
import type { Imported, OperatorTable } from "./table.ts";

export const MOVEMENT: OperatorTable = {
  Reshape: reshape,
  Flatten: (node) => {
    const shape = node.inputShape(0);
    const axis = node.int("axis", 1);
    const at = axis < 0 ? axis + shape.length : axis;
    return reshapeTo(node, [flatLength(node, shape.slice(0, at)), flatLength(node, shape.slice(at))]);
  },
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: (node) => {
    const rank = node.rank(0);
    const perm = node.ints("perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
    return node.add({ op: "transpose", x: node.value(0), perm });
  },
  Concat: concat,
  Slice: slice,
  Split: split,
  Gather: gather,
  Pad: pad,
  Expand: (node) => {
    const x = node.inputShape(0);
    const target = node.dims(1);
    const rank = Math.max(x.length, target.length);
    // A 1 in the target keeps the input's length; anything else must match it or meet a 1.
    const shape = Array.from({ length: rank }, (_, i): Dim => {
      const wanted = target[target.length - rank + i] ?? 1;
      return wanted === 1 ? (x[x.length - rank + i] ?? 1) : wanted;
    });
    return node.add({ op: "expand", x: node.value(0), shape });
  },
};

// ---------------------------------------------------------------- reshapes

function reshapeTo(node: NodeReader, shape: Shape): ValueId {
  return node.add({ op: "reshape", x: node.value(0), shape });
}

function flatLength(node: NodeReader, dims: Shape): Dim {
  if (!dims.includes(BATCH)) return recordElements(dims);
  if (recordElements(dims) === 1) return BATCH;
  throw foldsBatch(node);
}

function foldsBatch(node: NodeReader) {
  return node.unsupported(
    "folds the batch axis together with others",
    "Keep axis 0 for the records: torch.flatten(x, 1), or reshape to (x.shape[0], -1).",
  );
}

function reshape(node: NodeReader): Imported {
  const operand = node.operand(0);
  const allowZero = node.flag("allowzero");
  const declared = node.ints("shape") ?? node.dims(1);
  if (operand.kind === "dims") return { ...operand, scalar: declared.length === 0 };
  const from = node.inputShape(0);
  const target = declared.map((dim, axis): Dim => {
    if (dim !== 0 || allowZero) return dim;
    const kept = from[axis];
    if (kept === undefined) throw node.invalid(`keeps axis ${axis}, which its input does not have`);
    return kept;
  });
  return reshapeTo(node, resolveReshape(node, from, target));
}

/** Fills in the −1 and finds the batch axis of the target. */
function resolveReshape(node: NodeReader, from: Shape, target: readonly Dim[]): Shape {
  const elements = recordElements(from);
  const open = target.filter((dim) => dim === -1).length;
  if (open > 1) throw node.invalid("has more than one -1 in its shape");
  const known = target.reduce<number>((product, dim) => (dim === BATCH || dim === -1 ? product : product * dim), 1);
  const fill = (dims: readonly Dim[]): Shape => dims.map((dim) => (dim === -1 ? elements / known : dim));

  if (isStatic(from) || target.includes(BATCH)) {
    if (open === 1 && (known === 0 || elements % known !== 0)) {
      throw node.invalid(`cannot spread ${elements} values over [${target.join(", ")}]`);
    }
    return fill(target);
  }
  if (open === 1 && known === elements) return target.map((dim) => (dim === -1 ? BATCH : dim));
  // A model exported for one record writes its batch as a leading 1.
  if (node.scope.fixedBatch && target[0] === 1 && known !== 0 && elements % known === 0) {
    return fill([BATCH, ...target.slice(1)]);
  }
  if (open === 0 && known === elements && target[0] === 1) {
    throw node.unsupported(
      `has a fixed batch of 1 in its shape [${target.join(", ")}] although the model's input has a dynamic batch`,
      "Use x.shape[0] or -1 for the batch in the model's code and export again.",
    );
  }
  throw foldsBatch(node);
}

/** Axes are an attribute before opset 13 and an input since; without any, all axes of length 1 go. */
function squeeze(node: NodeReader): Imported {
  const operand = node.operand(0);
  const listed = node.ints("axes") ?? node.optionalIntegers(1);
  if (operand.kind === "dims") return { ...operand, scalar: true };
  const shape = node.inputShape(0);
  const axes = listed ? node.axes(listed, shape.length) : shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const wrong = axes.find((axis) => shape[axis] !== 1);
  if (wrong !== undefined) {
    if (shape[wrong] === BATCH) throw node.unsupported("removes the batch axis", "Keep axis 0 for the records.");
    throw node.invalid(`axis ${wrong} has length ${shape[wrong]}, not 1`);
  }
  return reshapeTo(
    node,
    shape.filter((_, axis) => !axes.includes(axis)),
  );
}

function unsqueeze(node: NodeReader): Imported {
  const operand = node.operand(0);
  const listed = node.ints("axes") ?? node.integers(1);
  if (operand.kind === "dims") {
    if (!operand.scalar) throw node.unsupported("reshapes a list of sizes", "Use fixed sizes and export again.");
    return { ...operand, scalar: false };
  }
  const shape = node.inputShape(0);
  const rank = shape.length + listed.length;
  const axes = node.axes(listed, rank);
  const rest = [...shape];
  return reshapeTo(
    node,
    Array.from({ length: rank }, (_, axis): Dim => (axes.includes(axis) ? 1 : rest.shift()!)),
  );
}

// ---------------------------------------------------------------- joining and cutting

function concat(node: NodeReader): Imported {
  const operands = Array.from({ length: node.inputCount }, (_, index) => node.operand(index));
  const axis = node.int("axis", 1);
  if (operands.some((operand) => operand.kind === "dims")) {
    return dimsOperand(
      node,
      operands.flatMap((_, index) => node.dims(index)),
    );
  }
  const inputs = operands.map((_, index) => node.value(index));
  if (inputs.length === 0) throw node.invalid("joins nothing");
  return node.add({ op: "concat", inputs, axis: node.axis(axis, node.rank(0)) });
}

/** Bounds are attributes before opset 10 and inputs since. */
function slice(node: NodeReader): Imported {
  const starts = node.ints("starts") ?? node.integers(1);
  const ends = node.ints("ends") ?? node.integers(2);
  const axes = node.ints("axes") ?? node.optionalIntegers(3) ?? starts.map((_, index) => index);
  const steps = node.optionalIntegers(4) ?? starts.map(() => 1);
  const operand = node.operand(0);
  const shape = node.inputShape(0);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
    throw node.invalid("starts, ends, axes and steps differ in length");
  }
  const ranges = shape.map((dim) => ({ start: 0, step: 1, count: dim }));
  for (const [i, axis] of axes.entries()) {
    const at = node.axis(axis, shape.length);
    ranges[at] = resolveRange(node, shape[at]!, starts[i]!, ends[i]!, steps[i]!);
  }
  if (operand.kind === "dims") {
    const { start, step, count } = ranges[0]!;
    return dimsOperand(
      node,
      Array.from({ length: Number(count) }, (_, i) => operand.dims[start + i * step]!),
    );
  }
  return node.add({
    op: "slice",
    x: operand.id,
    starts: ranges.map((range) => range.start),
    steps: ranges.map((range) => range.step),
    counts: ranges.map((range) => range.count),
  });
}

/** Python slice semantics with the clamping of the ONNX specification. */
function resolveRange(node: NodeReader, length: Dim, start: number, end: number, step: number) {
  if (step === 0) throw node.invalid("slices with step 0");
  if (length === BATCH) {
    // The whole axis, as `x[:, …]` is exported: 0 to the largest integer.
    if (start === 0 && step === 1 && end >= 2 ** 31 - 1) return { start: 0, step: 1, count: BATCH as Dim };
    throw node.unsupported("slices the batch axis", "Keep axis 0 for the records.");
  }
  const wrap = (index: number) => (index < 0 ? index + length : index);
  const clamp = (index: number, low: number, high: number) => Math.min(high, Math.max(low, index));
  const first = step > 0 ? clamp(wrap(start), 0, length) : clamp(wrap(start), 0, length - 1);
  const stop = step > 0 ? clamp(wrap(end), 0, length) : clamp(wrap(end), -1, length - 1);
  const count: Dim = Math.max(0, Math.ceil((stop - first) / step));
  return { start: count === 0 ? 0 : first, step, count };
}

/** Lengths are an attribute before opset 13 and an input since; without any, equal parts (the last may be shorter). */
function split(node: NodeReader): readonly ValueId[] {
  const shape = node.inputShape(0);
  const axis = node.axis(node.int("axis", 0), shape.length);
  const length = shape[axis]!;
  if (length === BATCH) throw node.unsupported("splits the batch axis", "Keep axis 0 for the records.");
  const parts = node.int("num_outputs") ?? node.outputs.length;
  const chunk = Math.ceil(length / parts);
  const lengths =
    node.ints("split") ??
    node.optionalIntegers(1) ??
    Array.from({ length: parts }, (_, i) => Math.min(chunk, length - i * chunk));
  if (lengths.length !== node.outputs.length || elementTotal(lengths) !== length || lengths.some((part) => part < 0)) {
    throw node.invalid(`cannot split ${length} into ${lengths.join(" + ")} for ${node.outputs.length} outputs`);
  }
  let start = 0;
  return lengths.map((count, part) => {
    const starts = shape.map((_, i) => (i === axis ? start : 0));
    start += count;
    const counts = shape.map((dim, i) => (i === axis ? count : dim));
    const id = node.outputs[part]! || `${node.name}/part${part}`;
    return node.add({ op: "slice", x: node.value(0), starts, steps: shape.map(() => 1), counts }, id);
  });
}

function elementTotal(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

function gather(node: NodeReader): ValueId | Operand {
  const operand = node.operand(0);
  const axis = node.int("axis", 0);
  const indices = node.constant(1);
  const shape = node.inputShape(0);
  const at = node.axis(axis, shape.length);
  const length = shape[at]!;
  const resolved = Array.from(indices.data, (index) => (index < 0 && length !== BATCH ? index + length : index));
  if (operand.kind === "dims") {
    const picked = resolved.map((index) => operand.dims[index]);
    if (picked.some((dim) => dim === undefined)) throw node.invalid("reads an axis that does not exist");
    return dimsOperand(
      node,
      picked.map((dim) => dim!),
      indices.shape.length === 0,
    );
  }
  return node.add({ op: "gather", x: operand.id, axis: at, indices: resolved, indicesShape: indices.shape });
}

/** Pads are an attribute before opset 11 and an input since; opset 18 may name the axes. */
function pad(node: NodeReader): ValueId {
  const rank = node.rank(0);
  const list = node.ints("pads") ?? node.integers(1);
  const value = node.float("value") ?? (node.has(2) ? node.number(2) : 0);
  const axes = node.has(3)
    ? node.integers(3).map((axis) => node.axis(axis, rank))
    : Array.from({ length: rank }, (_, axis) => axis);
  const mode = node.text("mode", "constant");
  if (mode !== "constant" && mode !== "reflect" && mode !== "edge") {
    throw node.unsupported(`pads in mode "${mode}"`, "Pad with constant, reflect or edge.");
  }
  if (list.length !== 2 * axes.length) throw node.invalid(`pads need ${2 * axes.length} entries, got ${list.length}`);
  const before = new Array<number>(rank).fill(0);
  const after = new Array<number>(rank).fill(0);
  for (const [i, axis] of axes.entries()) {
    before[axis] = list[i]!;
    after[axis] = list[axes.length + i]!;
  }
  return padOrCrop(node, { before, after, mode, value });
}

/** Negative pads crop. */
function padOrCrop(
  node: NodeReader,
  pads: { before: number[]; after: number[]; mode: "constant" | "reflect" | "edge"; value: number },
): ValueId {
  const x = node.value(0);
  const shape = node.inputShape(0);
  const positive = (list: readonly number[]) => list.map((entry) => Math.max(0, entry));
  const padded = node.add({ ...pads, op: "pad", x, before: positive(pads.before), after: positive(pads.after) });
  if ([...pads.before, ...pads.after].every((entry) => entry >= 0)) return padded;
  const crop = (entry: number | undefined) => Math.max(0, -(entry ?? 0));
  return node.add({
    op: "slice",
    x: padded,
    starts: pads.before.map(crop),
    steps: shape.map(() => 1),
    counts: node.builder.shape(padded).map((dim, axis): Dim => {
      if (dim === BATCH) return BATCH;
      const count = dim - crop(pads.before[axis]) - crop(pads.after[axis]);
      if (count < 0) throw node.invalid("crops more than there is");
      return count;
    }),
  });
}

/** Sizes of a value, for Shape and Size. */
export function shapeOf(node: NodeReader): Operand {
  const shape = node.inputShape(0);
  const bound = (index: number) => Math.min(shape.length, Math.max(0, index < 0 ? index + shape.length : index));
  const start = bound(node.int("start", 0));
  const end = bound(node.int("end", shape.length));
  return dimsOperand(node, shape.slice(start, end));
}

export function sizeOf(node: NodeReader): Operand {
  const shape = node.inputShape(0);
  if (isStatic(shape)) return dimsOperand(node, [elementCount(shape)], true);
  if (recordElements(shape) === 1) return dimsOperand(node, [BATCH], true);
  throw foldsBatch(node);
}
