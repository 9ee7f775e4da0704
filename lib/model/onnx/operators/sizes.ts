/**
 * Operators that exporters use to compute sizes. They are resolved at import, on constants and on lists of axis lengths
 * with the batch in them; on data they are not supported.
 */

import { broadcastStrides, walk } from "../../evaluate/array.ts";
import { BATCH, type Dim, elementCount } from "../../graph.ts";
import type { Operand } from "../../operand.ts";
import { broadcastShapes } from "../../shapes.ts";
import { dimsOperand, type NodeReader } from "../node.ts";
import { shapeOf, sizeOf } from "./movement.ts";
import type { Imported, OperatorTable } from "./table.ts";

const MAX_RANGE = 1_000_000;

export const SIZES: OperatorTable = {
  Shape: shapeOf,
  Size: sizeOf,
  ConstantOfShape: constantOfShape,
  Range: range,
  Equal: (node) => compare(node, (a, b) => a === b),
  Less: (node) => compare(node, (a, b) => below(node, a, b)),
  Greater: (node) => compare(node, (a, b) => below(node, b, a)),
  Not: (node) => {
    const { shape, data } = node.constant(0);
    return literal(
      node,
      shape,
      Array.from(data, (value) => (value === 0 ? 1 : 0)),
    );
  },
  Where: where,
};

function literal(
  node: NodeReader,
  shape: readonly number[],
  values: readonly number[],
  dtype: "bool" | "int64" = "bool",
) {
  return node.builder.constant(node.outputs[0] ?? node.name, { shape, data: Float64Array.from(values) }, dtype);
}

function constantOfShape(node: NodeReader): Imported {
  const dims = node.dims(0);
  const fill = node.tensor("value");
  const [value] = fill?.tensor.data ?? [0];
  // Filled once and expanded, so that the size is checked before anything is allocated, and the batch may be in it.
  const one = node.builder.constant(
    `${node.name}/value`,
    { shape: dims.map(() => 1), data: Float64Array.of(value ?? 0) },
    fill?.dtype ?? "float32",
  );
  return node.add({ op: "expand", x: one, shape: dims });
}

function range(node: NodeReader): Imported {
  const [start, limit, delta] = [node.number(0), node.number(1), node.number(2)];
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isFinite(count) || count > MAX_RANGE) throw node.invalid(`counts from ${start} to ${limit} by ${delta}`);
  const { dtype } = node.builder.info(node.value(0));
  const data = Float64Array.from({ length: count }, (_, i) => start + i * delta);
  return node.builder.constant(node.outputs[0] ?? node.name, { shape: [count], data }, dtype);
}

/** The entries of a constant or of a list of axis lengths, with the shape they have. */
function entries(node: NodeReader, index: number): { shape: readonly number[]; values: readonly Dim[] } {
  const operand = node.operand(index);
  if (operand.kind === "dims") return { shape: operand.scalar ? [] : [operand.dims.length], values: operand.dims };
  const { shape, data } = node.constant(index);
  return { shape, values: Array.from(data) };
}

function compare(node: NodeReader, holds: (a: Dim, b: Dim) => boolean): Imported {
  const { shape, rows } = aligned(node, [entries(node, 0), entries(node, 1)]);
  return literal(
    node,
    shape,
    rows.map(([a, b]) => (holds(a!, b!) ? 1 : 0)),
  );
}

function below(node: NodeReader, a: Dim, b: Dim): boolean {
  if (a === BATCH || b === BATCH) {
    throw node.unsupported("compares the batch size", "Write the model without branches on the batch size.");
  }
  return a < b;
}

function where(node: NodeReader): Operand {
  const { shape, rows } = aligned(node, [entries(node, 0), entries(node, 1), entries(node, 2)]);
  const picked = rows.map(([condition, a, b]) => (condition !== 0 ? a! : b!));
  if (shape.length <= 1 && picked.includes(BATCH)) return dimsOperand(node, picked, shape.length === 0);
  const source = node.operand(1);
  const dtype = source.kind === "value" ? node.builder.info(source.id).dtype : "int64";
  const data = Float64Array.from(picked, Number);
  return { kind: "value", id: node.builder.constant(node.outputs[0] ?? node.name, { shape, data }, dtype) };
}

/** Broadcasts the operands and lines their entries up. */
function aligned(node: NodeReader, operands: readonly { shape: readonly number[]; values: readonly Dim[] }[]) {
  const shape = operands.map((operand) => operand.shape).reduce((a, b) => broadcastShapes(node, a, b).map(Number));
  if (elementCount(shape) > MAX_RANGE)
    throw node.unsupported("compares large tensors", "Use fixed masks in the model.");
  const rows: Dim[][] = Array.from({ length: elementCount(shape) }, () => []);
  for (const operand of operands) {
    walk(shape, broadcastStrides(operand.shape, shape), 0, (to, from) => rows[to]!.push(operand.values[from]!));
  }
  return { shape, rows };
}
