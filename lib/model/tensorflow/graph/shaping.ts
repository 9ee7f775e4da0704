/** TensorFlow operators that reshape, join and cut values, and lists of axis lengths with the batch in them. */
import { BATCH, type Dim, recordElements, type Shape, type ValueId } from "../../graph.ts";
import type { Operand } from "../../operand.ts";
import type { TfReader } from "./nodes.ts";

function batchRefusal(node: TfReader, what: string) {
  return node.unsupported(`${what} the batch axis`, "Keep axis 0 for the records.");
}

export function reshape(node: TfReader): ValueId | Operand {
  const operand = node.operand(0);
  const target = node.dims(1);
  if (operand.kind === "dims") return { ...operand, scalar: target.length === 0 };
  const from = node.inputShape(0);
  const elements = recordElements(from);
  const open = target.filter((dim) => dim === -1).length;
  const known = target.reduce<number>((product, dim) => (dim === BATCH || dim === -1 ? product : product * dim), 1);
  if (open > 1) throw node.invalid("has more than one open length");
  if (from.includes(BATCH) && !target.includes(BATCH)) {
    // The open length is the batch when everything else fills a record; a traced batch of 1 stands for it too.
    if (open === 1 && known === elements)
      return toShape(
        node,
        target.map((dim) => (dim === -1 ? BATCH : dim)),
      );
    if (target[0] === 1 && known !== 0) return toShape(node, [BATCH, ...fill(target.slice(1), elements / known)]);
    throw batchRefusal(node, "folds others into");
  }
  return toShape(node, fill(target, elements / known));
}

function fill(target: readonly Dim[], open: number): Shape {
  return target.map((dim) => (dim === -1 ? open : dim));
}

function toShape(node: TfReader, shape: Shape): ValueId {
  if (shape.some((dim) => dim !== BATCH && (!Number.isInteger(dim) || dim < 0))) {
    throw node.invalid(`cannot become [${shape.join(", ")}]`);
  }
  return node.add({ op: "reshape", x: node.value(0), shape });
}

export function squeeze(node: TfReader): ValueId | Operand {
  const operand = node.operand(0);
  if (operand.kind === "dims") return { ...operand, scalar: true };
  const shape = node.inputShape(0);
  const listed = node.ints("squeeze_dims");
  const axes =
    listed.length > 0 ? node.axes(listed, shape.length) : shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const wrong = axes.find((axis) => shape[axis] !== 1);
  if (wrong !== undefined) throw node.invalid(`axis ${wrong} has length ${shape[wrong]}, not 1`);
  return toShape(
    node,
    shape.filter((_, axis) => !axes.includes(axis)),
  );
}

export function expandDims(node: TfReader): ValueId | Operand {
  const operand = node.operand(0);
  if (operand.kind === "dims") return { ...operand, scalar: false };
  const shape = node.inputShape(0);
  const axis = node.axis(node.integer(1), shape.length + 1);
  return toShape(node, [...shape.slice(0, axis), 1, ...shape.slice(axis)]);
}

/** Values …, then the axis. */
export function concat(node: TfReader): ValueId | Operand {
  const count = node.inputCount - 1;
  const operands = Array.from({ length: count }, (_, index) => node.operand(index));
  if (operands.some((operand) => operand.kind === "dims")) {
    return node.lengths(operands.flatMap((_, index) => node.dims(index)));
  }
  const inputs = operands.map((_, index) => node.value(index));
  return node.add({ op: "concat", inputs, axis: node.axis(node.integer(count), node.inputShape(0).length) });
}

/** Stacks along a new axis; of single lengths it makes a list. */
export function pack(node: TfReader): ValueId | Operand {
  const operands = Array.from({ length: node.inputCount }, (_, index) => node.operand(index));
  if (operands.some((operand) => operand.kind === "dims")) {
    return node.lengths(operands.flatMap((_, index) => node.dims(index)));
  }
  const shape = node.inputShape(0);
  const axis = node.axis(node.int("axis", 0), shape.length + 1);
  if (axis === 0 && shape.includes(BATCH)) throw batchRefusal(node, "stacks before");
  const one: Shape = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  const inputs = operands.map((_, index) =>
    node.add({ op: "reshape", x: node.value(index), shape: one }, `${node.name}/${index}`),
  );
  return node.add({ op: "concat", inputs, axis });
}

export function unpack(node: TfReader): readonly (ValueId | Operand)[] {
  const operand = node.operand(0);
  if (operand.kind === "dims") return operand.dims.map((dim) => node.lengths([dim], true));
  const shape = node.inputShape(0);
  const axis = node.axis(node.int("axis", 0), shape.length);
  const length = shape[axis]!;
  if (length === BATCH) throw batchRefusal(node, "takes apart");
  return Array.from({ length }, (_, index) =>
    node.add({ op: "gather", x: operand.id, axis, indices: [index], indicesShape: [] }, `${node.name}:${index}`),
  );
}

interface Cut {
  readonly start: number;
  readonly step: number;
  readonly count: Dim;
}

function cut(node: TfReader, cuts: readonly Cut[], id: string = node.name): ValueId {
  return node.add(
    {
      op: "slice",
      x: node.value(0),
      starts: cuts.map((entry) => entry.start),
      steps: cuts.map((entry) => entry.step),
      counts: cuts.map((entry) => entry.count),
    },
    id,
  );
}

/** Begin and size; a size of −1 is the rest. */
export function slice(node: TfReader): ValueId | Operand {
  const operand = node.operand(0);
  const [begins, sizes] = [node.integers(1), node.integers(2)];
  if (operand.kind === "dims") {
    const [begin = 0, size = -1] = [begins[0], sizes[0]];
    return node.lengths(operand.dims.slice(begin, size < 0 ? undefined : begin + size));
  }
  return cut(
    node,
    node.inputShape(0).map((length, axis) => {
      const [start, size] = [begins[axis] ?? 0, sizes[axis] ?? -1];
      if (length !== BATCH) return { start, step: 1, count: size < 0 ? Math.max(0, length - start) : size };
      if (start === 0 && size === -1) return { start: 0, step: 1, count: BATCH };
      throw batchRefusal(node, "slices");
    }),
  );
}

/** Python's x[a:b:c, i, …, newaxis]: begins, ends and strides with masks, one bit per entry. */
export function stridedSlice(node: TfReader): ValueId | Operand {
  const operand = node.operand(0);
  const shape = node.inputShape(0);
  const [begins, ends, strides] = [node.integers(1), node.integers(2), node.integers(3)];
  const masked = (mask: string, entry: number) => ((node.int(mask, 0) >> entry) & 1) === 1;
  const cuts: Cut[] = [];
  const result: Dim[] = [];
  const added = begins.filter((_, entry) => masked("new_axis_mask", entry)).length;
  const spread =
    shape.length - (begins.length - added - begins.filter((_, entry) => masked("ellipsis_mask", entry)).length);
  const whole = (count: number) => {
    for (let i = 0; i < count; i++) {
      const length = shape[cuts.length]!;
      cuts.push({ start: 0, step: 1, count: length });
      result.push(length);
    }
  };
  for (const entry of begins.keys()) {
    if (masked("ellipsis_mask", entry)) whole(spread);
    else if (masked("new_axis_mask", entry)) result.push(1);
    else {
      const length = shape[cuts.length];
      if (length === undefined) throw node.invalid("cuts more axes than there are");
      const range = resolveCut(node, length, begins[entry]!, ends[entry]!, strides[entry]!, {
        fromStart: masked("begin_mask", entry),
        toEnd: masked("end_mask", entry),
        single: masked("shrink_axis_mask", entry),
      });
      cuts.push(range);
      if (!masked("shrink_axis_mask", entry)) result.push(range.count);
    }
  }
  whole(shape.length - cuts.length);
  if (operand.kind === "dims") {
    const { start, step, count } = cuts[0]!;
    const dims = Array.from({ length: Number(count) }, (_, i) => operand.dims[start + i * step]!);
    return node.lengths(dims, result.length === 0);
  }
  const sliced = cut(node, cuts, `${node.name}/cut`);
  return node.add({ op: "reshape", x: sliced, shape: result });
}

function resolveCut(
  node: TfReader,
  length: Dim,
  begin: number,
  end: number,
  stride: number,
  masks: { readonly fromStart: boolean; readonly toEnd: boolean; readonly single: boolean },
): Cut {
  if (length === BATCH) {
    const whole = !masks.single && stride === 1 && (masks.fromStart || begin === 0) && masks.toEnd;
    if (whole) return { start: 0, step: 1, count: BATCH };
    throw batchRefusal(node, "slices");
  }
  if (stride === 0) throw node.invalid("slices with step 0");
  const wrap = (index: number) => (index < 0 ? index + length : index);
  if (masks.single) return { start: wrap(begin), step: 1, count: 1 };
  const low = stride > 0 ? 0 : -1;
  const high = stride > 0 ? length : length - 1;
  const clamp = (index: number) => Math.min(high, Math.max(low, index));
  const start = masks.fromStart ? (stride > 0 ? 0 : length - 1) : clamp(wrap(begin));
  const stop = masks.toEnd ? (stride > 0 ? length : -1) : clamp(wrap(end));
  const count = Math.max(0, Math.ceil((stop - start) / stride));
  return { start: count === 0 ? 0 : start, step: stride, count };
}

export function split(
  node: TfReader,
  axisInput: number,
  x: ValueId,
  sizes: readonly number[] | undefined,
): readonly ValueId[] {
  const shape = node.shape(x);
  const axis = node.axis(axisInput, shape.length);
  const length = shape[axis]!;
  if (length === BATCH) throw batchRefusal(node, "splits");
  const parts = node.int("num_split", sizes?.length ?? 1);
  const known = sizes?.reduce((sum, size) => sum + Math.max(0, size), 0) ?? 0;
  const lengths = sizes
    ? sizes.map((size) => (size < 0 ? length - known : size))
    : new Array<number>(parts).fill(length / parts);
  let start = 0;
  return lengths.map((count, part) => {
    if (!Number.isInteger(count) || count < 0) throw node.invalid(`cannot split ${length} into ${parts}`);
    const starts = shape.map((_, i) => (i === axis ? start : 0));
    start += count;
    const counts = shape.map((dim, i) => (i === axis ? count : dim));
    return node.add({ op: "slice", x, starts, steps: shape.map(() => 1), counts }, `${node.name}:${part}`);
  });
}

export function gather(node: TfReader): ValueId | Operand {
  const operand = node.operand(0);
  const indices = node.tensor(1);
  if (operand.kind === "dims") {
    const picked = Array.from(indices.data, (index) => operand.dims[index]);
    if (picked.some((dim) => dim === undefined)) throw node.invalid("reads a length that does not exist");
    return node.lengths(
      picked.map((dim) => dim!),
      indices.shape.length === 0,
    );
  }
  if (node.int("batch_dims", 0) !== 0) throw node.unsupported("gathers per record", "Use fixed indices.");
  const axis = node.axis(node.inputCount > 2 ? node.integer(2) : 0, node.inputShape(0).length);
  return node.add({ op: "gather", x: operand.id, axis, indices: [...indices.data], indicesShape: indices.shape });
}
