/**
 * What a value is while a graph is imported. Most are values of the graph (constants among them); shape arithmetic that
 * touches the batch size is kept as a list of axis lengths with the batch symbolic, so that Shape → Gather → Concat →
 * Reshape, as exporters emit it, is resolved without knowing the batch.
 */
import type { GraphBuilder } from "./builder.ts";
import { type Dim, isStatic, type ValueId } from "./graph.ts";

export type Operand =
  | { readonly kind: "value"; readonly id: ValueId }
  /** Lengths that include the batch: a vector, or a single one when `scalar`. */
  | { readonly kind: "dims"; readonly dims: readonly Dim[]; readonly scalar: boolean };

/** An operand for axis lengths: a constant where the batch is not among them. */
export function operandOfDims(builder: GraphBuilder, name: string, dims: readonly Dim[], scalar = false): Operand {
  if (!isStatic(dims)) return { kind: "dims", dims, scalar };
  const shape = scalar ? [] : [dims.length];
  return { kind: "value", id: builder.constant(name, { shape, data: Float64Array.from(dims) }, "int64") };
}
