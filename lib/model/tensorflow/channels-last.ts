/**
 * TensorFlow's image operators on the graph's layout. TensorFlow keeps channels last by default ([batch, …spatial, C]) and
 * kernels as [...kernel, C, M]; the graph's conv and pools want channels first. The transposes this puts around them cost
 * nothing where it matters: they fold into index lists.
 */
import type { Emitter } from "../emitter.ts";
import { BATCH, elementCount, type Shape, type Tensor, type ValueId, type Window } from "../graph.ts";
import { resolveAutoPad } from "../window.ts";

export type DataFormat = "channelsLast" | "channelsFirst";

/** SAME and VALID, CAUSAL (Keras conv1d: all padding before), or lengths per spatial axis. */
export type Padding =
  | "same"
  | "valid"
  | "causal"
  | { readonly begin: readonly number[]; readonly end: readonly number[] };

export interface Sliding {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
  readonly format: DataFormat;
}

/** `kernel` is `[...spatial, C/groups, M]`. */
export function convolve(
  e: Emitter,
  x: ValueId,
  kernel: Tensor,
  bias: Tensor | undefined,
  sliding: Omit<Sliding, "kernel">,
  groups: number,
): ValueId {
  const spatialRank = kernel.shape.length - 2;
  const weights = e.add(
    { op: "transpose", x: e.weights("kernel", kernel), perm: [spatialRank + 1, spatialRank, ...range(spatialRank)] },
    `${e.name}/kernel`,
  );
  return slide(e, x, { ...sliding, kernel: kernel.shape.slice(0, -2) }, (input, window) =>
    e.add({ op: "conv", x: input, weights, bias: bias && e.weights("bias", bias), window, groups }),
  );
}

/** `kernel` is `[...spatial, C, multiplier]`; output channel c·multiplier + m comes from input channel c. */
export function convolveDepthwise(
  e: Emitter,
  x: ValueId,
  kernel: Tensor,
  bias: Tensor | undefined,
  sliding: Omit<Sliding, "kernel">,
): ValueId {
  const spatial = kernel.shape.slice(0, -2);
  const [channels, multiplier] = kernel.shape.slice(-2) as [number, number];
  const rank = spatial.length;
  const turned = e.add(
    { op: "transpose", x: e.weights("depthwise_kernel", kernel), perm: [rank, rank + 1, ...range(rank)] },
    `${e.name}/depthwise_kernel`,
  );
  const weights = e.add(
    { op: "reshape", x: turned, shape: [channels * multiplier, 1, ...spatial] },
    `${e.name}/depthwise_kernel`,
  );
  return slide(e, x, { ...sliding, kernel: spatial }, (input, window) =>
    e.add({ op: "conv", x: input, weights, bias: bias && e.weights("bias", bias), window, groups: channels }),
  );
}

/** TensorFlow's average never counts padding. */
export function pool(e: Emitter, op: "averagePool" | "maxPool", x: ValueId, sliding: Sliding): ValueId {
  return slide(e, x, sliding, (input, window) =>
    e.add({ op, x: input, window, ceilMode: false, countIncludePad: false }),
  );
}

/** Reduces all spatial axes. */
export function poolGlobally(
  e: Emitter,
  op: "reduceMean" | "reduceMax",
  x: ValueId,
  format: DataFormat,
  keepDims: boolean,
): ValueId {
  const rank = e.shape(x).length;
  if (rank < 3) throw e.invalid(`needs [batch, length…, channels], got ${rank} axes`);
  const axes = range(rank - 2).map((axis) => axis + (format === "channelsLast" ? 1 : 2));
  return e.add({ op, x, axes, keepDims });
}

/** [batch, C, …spatial] → [batch, …spatial, C]; nothing for channels first. */
export function toChannelsLast(e: Emitter, x: ValueId, format: DataFormat): ValueId {
  const rank = e.shape(x).length;
  return format === "channelsLast"
    ? e.add({ op: "transpose", x, perm: [0, ...range(rank - 2).map((axis) => axis + 2), 1] })
    : x;
}

export function toChannelsFirst(e: Emitter, x: ValueId, format: DataFormat): ValueId {
  const rank = e.shape(x).length;
  return format === "channelsLast"
    ? e.add(
        { op: "transpose", x, perm: [0, rank - 1, ...range(rank - 2).map((axis) => axis + 1)] },
        `${e.name}/channels_first`,
      )
    : x;
}

// ---------------------------------------------------------------- helpers

function slide(e: Emitter, x: ValueId, sliding: Sliding, place: (input: ValueId, window: Window) => ValueId): ValueId {
  const rank = sliding.kernel.length;
  const shape = e.shape(x);
  if (shape.length !== rank + 2) throw e.invalid(`a window of ${rank} axes does not fit ${shape.length} axes`);
  const { kernel, strides, dilations } = sliding;
  if ([...kernel, ...strides, ...dilations].some((entry) => !Number.isInteger(entry) || entry < 1)) {
    throw e.invalid("kernel, strides and dilations must be whole numbers of at least 1");
  }
  const input = toChannelsFirst(e, x, sliding.format);
  const spatial = spatialOf(e, e.shape(input));
  return toChannelsLast(e, place(input, { kernel, strides, dilations, ...padsOf(sliding, spatial) }), sliding.format);
}

function padsOf(sliding: Sliding, spatial: readonly number[]): Pick<Window, "padsBegin" | "padsEnd"> {
  const { padding, kernel, dilations } = sliding;
  if (padding === "same") return resolveAutoPad("SAME_UPPER", spatial, sliding);
  if (padding === "valid") return resolveAutoPad("VALID", spatial, sliding);
  if (padding === "causal") {
    return {
      padsBegin: kernel.map((length, axis) => (length - 1) * dilations[axis]!),
      padsEnd: kernel.map(() => 0),
    };
  }
  return { padsBegin: padding.begin, padsEnd: padding.end };
}

function spatialOf(e: Emitter, channelsFirst: Shape): readonly number[] {
  return channelsFirst.slice(2).map((dim) => {
    if (dim === BATCH) throw e.unsupported("slides along the batch axis", "Keep axis 0 for the records.");
    return dim;
  });
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** A constant filled with one value. */
export function filled(shape: readonly number[], value: number): Tensor {
  return { shape, data: new Float32Array(elementCount(shape)).fill(value) };
}
