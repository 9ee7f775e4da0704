/** Keras layers → graph nodes. Semantics: the Keras API reference (https://keras.io/api/layers/). */
import {
  BATCH,
  type BinaryOp,
  type Dim,
  isStatic,
  recordElements,
  type Shape,
  type Tensor,
  type ValueId,
} from "../../graph.ts";
import { convolve, convolveDepthwise, filled, pool, poolGlobally, toChannelsLast } from "../channels-last.ts";
import { activate } from "./activations.ts";
import type { LayerCall } from "./layer.ts";

type LayerImporter = (layer: LayerCall) => ValueId;

export const KERAS_LAYERS: Readonly<Record<string, LayerImporter>> = {
  Dense: dense,
  Conv1D: (layer) => conv(layer, 1),
  Conv2D: (layer) => conv(layer, 2),
  DepthwiseConv1D: (layer) => depthwise(layer, 1),
  DepthwiseConv2D: (layer) => depthwise(layer, 2),
  SeparableConv1D: (layer) => separable(layer, 1),
  SeparableConv2D: (layer) => separable(layer, 2),

  AveragePooling1D: (layer) => poolLayer(layer, "averagePool", 1),
  AveragePooling2D: (layer) => poolLayer(layer, "averagePool", 2),
  MaxPooling1D: (layer) => poolLayer(layer, "maxPool", 1),
  MaxPooling2D: (layer) => poolLayer(layer, "maxPool", 2),
  GlobalAveragePooling1D: (layer) => globalPool(layer, "reduceMean"),
  GlobalAveragePooling2D: (layer) => globalPool(layer, "reduceMean"),
  GlobalMaxPooling1D: (layer) => globalPool(layer, "reduceMax"),
  GlobalMaxPooling2D: (layer) => globalPool(layer, "reduceMax"),

  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Normalization: normalization,
  Rescaling: (layer) => {
    const scaled = layer.add({ op: "mul", a: layer.input, b: layer.scalar("scale", layer.number("scale", 1)) });
    return layer.add({ op: "add", a: scaled, b: layer.scalar("offset", layer.number("offset", 0)) });
  },

  Activation: (layer) => activate(layer, layer.input),
  ReLU: relu,
  LeakyReLU: (layer) => {
    const slope = layer.has("negative_slope") ? layer.number("negative_slope", 0.3) : layer.number("alpha", 0.3);
    return layer.add({ op: "leakyRelu", x: layer.input, alpha: slope });
  },
  ELU: (layer) => layer.add({ op: "elu", x: layer.input, alpha: layer.number("alpha", 1) }),
  PReLU: prelu,
  Softmax: (layer) => {
    const rank = layer.shape(layer.input).length;
    const axes = layer.has("axis") ? layer.list("axis") : [-1];
    if (axes.length !== 1) throw layer.unsupported("normalizes over several axes", "Use a Softmax over one axis.");
    return layer.add({ op: "softmax", x: layer.input, axis: layer.axis(axes[0]!, rank) });
  },

  Flatten: (layer) => {
    const x = toChannelsLast(layer, layer.input, layer.format() === "channelsFirst" ? "channelsLast" : "channelsFirst");
    return layer.add({ op: "reshape", x, shape: [BATCH, recordElements(layer.shape(x))] });
  },
  Reshape: reshape,
  Permute: (layer) => layer.add({ op: "transpose", x: layer.input, perm: [0, ...layer.list("dims")] }),
  RepeatVector: (layer) => {
    const width = layer.shape(layer.input)[1] ?? 1;
    const column = layer.add({ op: "reshape", x: layer.input, shape: [BATCH, 1, width] }, `${layer.name}/column`);
    return layer.add({ op: "expand", x: column, shape: [BATCH, layer.number("n", 1), width] });
  },
  ZeroPadding1D: (layer) => zeroPad(layer, [pair(layer, layer.raw("padding"), 1)]),
  ZeroPadding2D: (layer) => zeroPad(layer, pairs(layer, "padding", 2, 1)),
  Cropping1D: (layer) => crop(layer, [pair(layer, layer.raw("cropping"), 1)]),
  Cropping2D: (layer) => crop(layer, pairs(layer, "cropping", 2, 0)),
  UpSampling1D: (layer) => upsample(layer, [layer.number("size", 2)]),
  UpSampling2D: (layer) => upsample(layer, layer.lengths("size", 2, 2)),

  Add: (layer) => merge(layer, "add"),
  Subtract: (layer) => merge(layer, "sub"),
  Multiply: (layer) => merge(layer, "mul"),
  Maximum: (layer) => merge(layer, "maximum"),
  Minimum: (layer) => merge(layer, "minimum"),
  Average: (layer) =>
    layer.add({ op: "div", a: merge(layer, "add"), b: layer.scalar("count", Math.max(1, layer.inputs.length)) }),
  Concatenate: (layer) => {
    const rank = layer.shape(layer.inputs[0] ?? layer.input).length;
    return layer.add({ op: "concat", inputs: layer.inputs, axis: layer.axis(layer.number("axis", -1), rank) });
  },

  ...Object.fromEntries(
    // Only active in training.
    [
      "Dropout",
      "SpatialDropout1D",
      "SpatialDropout2D",
      "GaussianNoise",
      "GaussianDropout",
      "AlphaDropout",
      "ActivityRegularization",
    ].map((name): [string, LayerImporter] => [name, (layer) => layer.input]),
  ),
};

/** The target's open length is −1, or null where TensorFlow.js wrote it. */
function reshape(layer: LayerCall): ValueId {
  const target = layer.raw("target_shape");
  if (!Array.isArray(target)) throw layer.malformed("target_shape");
  const lengths = target.map((dim: unknown) => {
    if (dim === null || dim === -1) return -1;
    if (!isLength(dim)) throw layer.malformed("target_shape");
    return dim;
  });
  const elements = recordElements(layer.shape(layer.input));
  const known = lengths.reduce((product, dim) => (dim < 0 ? product : product * dim), 1);
  const shape = lengths.map((dim) => (dim < 0 ? elements / known : dim));
  if (!shape.every(isLength)) throw layer.invalid(`cannot spread ${elements} values over [${target.join(", ")}]`);
  return layer.add({ op: "reshape", x: layer.input, shape: [BATCH, ...shape] });
}

// ---------------------------------------------------------------- products

function dense(layer: LayerCall): ValueId {
  const x = layer.input;
  const [kernel, bias] = layer.variables("kernel", layer.flag("use_bias", true) && "bias");
  const weights = layer.weights("kernel", kernel!);
  if (layer.shape(x).length === 2) {
    const c = bias && layer.weights("bias", bias);
    return activate(
      layer,
      layer.add({ op: "gemm", a: x, b: weights, c, alpha: 1, beta: 1, transA: false, transB: false }),
    );
  }
  const product = layer.add({ op: "matMul", a: x, b: weights });
  return activate(layer, bias ? layer.add({ op: "add", a: product, b: layer.weights("bias", bias) }) : product);
}

function conv(layer: LayerCall, rank: number): ValueId {
  const [kernel, bias] = layer.variables("kernel", layer.flag("use_bias", true) && "bias");
  checkRank(layer, kernel!, rank + 2);
  return activate(layer, convolve(layer, layer.input, kernel!, bias, layer.sliding(rank), layer.number("groups", 1)));
}

function depthwise(layer: LayerCall, rank: number): ValueId {
  const [kernel, bias] = layer.variables("depthwise_kernel", layer.flag("use_bias", true) && "bias");
  checkRank(layer, kernel!, rank + 2);
  return activate(layer, convolveDepthwise(layer, layer.input, kernel!, bias, layer.sliding(rank)));
}

function separable(layer: LayerCall, rank: number): ValueId {
  const [depthKernel, pointKernel, bias] = layer.variables(
    "depthwise_kernel",
    "pointwise_kernel",
    layer.flag("use_bias", true) && "bias",
  );
  checkRank(layer, depthKernel!, rank + 2);
  checkRank(layer, pointKernel!, rank + 2);
  const sliding = layer.sliding(rank);
  const each = convolveDepthwise(layer, layer.input, depthKernel!, undefined, sliding);
  const ones = sliding.strides.map(() => 1);
  const point = { strides: ones, dilations: ones, padding: "valid", format: sliding.format } as const;
  return activate(layer, convolve(layer, each, pointKernel!, bias, point, 1));
}

function checkRank(layer: LayerCall, kernel: Tensor, rank: number): void {
  if (kernel.shape.length !== rank) throw layer.invalid(`its kernel is [${kernel.shape.join(", ")}], not ${rank} axes`);
}

// ---------------------------------------------------------------- pooling

function poolLayer(layer: LayerCall, op: "averagePool" | "maxPool", rank: number): ValueId {
  const kernel = layer.lengths("pool_size", rank, 2);
  return pool(layer, op, layer.input, {
    kernel,
    strides: layer.has("strides") ? layer.lengths("strides", rank) : kernel,
    dilations: kernel.map(() => 1),
    padding: layer.padding(),
    format: layer.format(),
  });
}

function globalPool(layer: LayerCall, op: "reduceMean" | "reduceMax"): ValueId {
  return poolGlobally(layer, op, layer.input, layer.format(), layer.flag("keepdims", false));
}

// ---------------------------------------------------------------- normalization

function batchNormalization(layer: LayerCall): ValueId {
  const x = layer.input;
  const shape = layer.shape(x);
  const listed = layer.has("axis") ? layer.list("axis") : [-1];
  if (listed.length !== 1) throw layer.unsupported("normalizes several axes", "Normalize one axis.");
  const axis = layer.axis(listed[0]!, shape.length);
  const [gamma, beta, mean, variance] = layer.variables(
    layer.flag("scale", true) && "gamma",
    layer.flag("center", true) && "beta",
    "moving_mean",
    "moving_variance",
  );
  const channels = [Number(shape[axis])];
  return layer.add({
    op: "batchNormalization",
    x,
    scale: layer.weights("gamma", gamma ?? filled(channels, 1)),
    bias: layer.weights("beta", beta ?? filled(channels, 0)),
    mean: layer.weights("moving_mean", mean!),
    variance: layer.weights("moving_variance", variance!),
    axis,
    epsilon: layer.number("epsilon", 1e-3),
  });
}

/** (x − mean) / √(variance + ε) · γ + β over the last axes, written out: no other operator needs it. */
function layerNormalization(layer: LayerCall): ValueId {
  const x = layer.input;
  const shape = layer.shape(x);
  const axes = layer.axes(layer.has("axis") ? layer.list("axis") : [-1], shape.length);
  const [gamma, beta] = layer.variables(layer.flag("scale", true) && "gamma", layer.flag("center", true) && "beta");
  const mean = layer.add({ op: "reduceMean", x, axes, keepDims: true }, `${layer.name}/mean`);
  const centred = layer.add({ op: "sub", a: x, b: mean }, `${layer.name}/centred`);
  const squares = layer.add({ op: "mul", a: centred, b: centred }, `${layer.name}/squares`);
  const variance = layer.add({ op: "reduceMean", x: squares, axes, keepDims: true }, `${layer.name}/variance`);
  const epsilon = layer.scalar("epsilon", layer.number("epsilon", 1e-3));
  const shifted = layer.add({ op: "add", a: variance, b: epsilon }, `${layer.name}/shifted`);
  const deviation = layer.add({ op: "sqrt", x: shifted }, `${layer.name}/deviation`);
  const normal = layer.add({ op: "div", a: centred, b: deviation }, `${layer.name}/normal`);
  const parameterShape = shape.map((dim, axis) => (axes.includes(axis) ? dim : 1)).slice(axes[0]);
  return affine(layer, normal, gamma, beta, parameterShape);
}

/** Keras' preprocessing layer: (x − mean) / √variance, both adapted to the data, or given. */
function normalization(layer: LayerCall): ValueId {
  const x = layer.input;
  const shape = layer.shape(x);
  const given = (key: string): Tensor | undefined =>
    layer.has(key) ? { shape: [layer.list(key).length], data: Float64Array.from(layer.list(key)) } : undefined;
  const [mean, variance] =
    given("mean") && given("variance") ? [given("mean")!, given("variance")!] : layer.variables("mean", "variance");
  if (!mean || !variance) throw layer.invalid("has no mean and variance: call adapt() before saving");
  const axes = layer.has("axis") ? layer.axes(layer.list("axis"), shape.length) : [];
  const kept = mean.data.length === 1 ? [] : shape.map((dim, axis) => (axes.includes(axis) ? dim : 1)).slice(1);
  // Keras divides by at least 1e-7.
  const deviation = variance.data.map((value) => Math.max(Math.sqrt(value), 1e-7));
  const place = (role: string, tensor: Tensor) =>
    layer.add({ op: "reshape", x: layer.weights(role, tensor), shape: kept }, `${layer.name}/${role}`);
  const centred = layer.add({ op: "sub", a: x, b: place("mean", mean) }, `${layer.name}/centred`);
  return layer.add({ op: "div", a: centred, b: place("deviation", { shape: variance.shape, data: deviation }) });
}

function affine(
  layer: LayerCall,
  x: ValueId,
  scale: Tensor | undefined,
  shift: Tensor | undefined,
  shape: Shape,
): ValueId {
  if (!isStatic(shape)) throw layer.unsupported("normalizes over the batch axis", "Keep axis 0 for the records.");
  const place = (role: string, tensor: Tensor) =>
    layer.add({ op: "reshape", x: layer.weights(role, tensor), shape }, `${layer.name}/${role}`);
  const scaled = scale ? layer.add({ op: "mul", a: x, b: place("gamma", scale) }, `${layer.name}/scaled`) : x;
  return shift ? layer.add({ op: "add", a: scaled, b: place("beta", shift) }) : scaled;
}

// ---------------------------------------------------------------- activations with settings

function relu(layer: LayerCall): ValueId {
  const slope = layer.number("negative_slope", 0);
  const max = layer.has("max_value") ? layer.number("max_value", 0) : Number.POSITIVE_INFINITY;
  if (layer.number("threshold", 0) !== 0) {
    throw layer.unsupported("has a threshold", "Use a ReLU without a threshold.");
  }
  if (slope === 0) {
    return Number.isFinite(max)
      ? layer.add({ op: "clip", x: layer.input, min: 0, max })
      : layer.add({ op: "relu", x: layer.input });
  }
  const leaky = layer.add({ op: "leakyRelu", x: layer.input, alpha: slope });
  return Number.isFinite(max) ? layer.add({ op: "clip", x: leaky, min: Number.NEGATIVE_INFINITY, max }) : leaky;
}

/** x < 0 ? α·x : x with α per position: relu(x) + α · min(x, 0). */
function prelu(layer: LayerCall): ValueId {
  const x = layer.input;
  const [alpha] = layer.variables("alpha");
  const positive = layer.add({ op: "relu", x }, `${layer.name}/positive`);
  const negative = layer.add({ op: "minimum", a: x, b: layer.scalar("zero", 0) }, `${layer.name}/negative`);
  const scaled = layer.add({ op: "mul", a: negative, b: layer.weights("alpha", alpha!) }, `${layer.name}/scaled`);
  return layer.add({ op: "add", a: positive, b: scaled });
}

// ---------------------------------------------------------------- edges

/** [before, after] of one axis: a number or a pair. */
function pair(layer: LayerCall, value: unknown, fallback: number): readonly [number, number] {
  if (value === undefined || value === null) return [fallback, fallback];
  if (isLength(value)) return [value, value];
  if (Array.isArray(value) && value.length === 2 && isLength(value[0]) && isLength(value[1])) {
    return [value[0], value[1]];
  }
  throw layer.invalid(`its padding or cropping is ${JSON.stringify(value).slice(0, 80)}`);
}

function isLength(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

/** A number for all axes, or one number or pair per axis. */
function pairs(layer: LayerCall, key: string, axes: number, fallback: number): readonly (readonly [number, number])[] {
  const value = layer.raw(key);
  if (Array.isArray(value)) {
    if (value.length !== axes) throw layer.malformed(key);
    return value.map((entry) => pair(layer, entry, fallback));
  }
  return Array.from({ length: axes }, () => pair(layer, value, fallback));
}

/** [0, …] around the spatial axes of the layout. */
function spatially<Item>(layer: LayerCall, spatial: readonly Item[], other: Item): readonly Item[] {
  if (layer.shape(layer.input).length !== spatial.length + 2) {
    throw layer.invalid(`works on ${spatial.length} axes of length, got ${layer.shape(layer.input).length - 2}`);
  }
  return layer.format() === "channelsLast" ? [other, ...spatial, other] : [other, other, ...spatial];
}

function zeroPad(layer: LayerCall, spatial: readonly (readonly [number, number])[]): ValueId {
  const all = spatially(layer, spatial, [0, 0]);
  return layer.add({
    op: "pad",
    x: layer.input,
    before: all.map(([before]) => before),
    after: all.map(([, after]) => after),
    mode: "constant",
    value: 0,
  });
}

function crop(layer: LayerCall, spatial: readonly (readonly [number, number])[]): ValueId {
  const all = spatially(layer, spatial, [0, 0]);
  const shape = layer.shape(layer.input);
  return layer.add({
    op: "slice",
    x: layer.input,
    starts: all.map(([before]) => before),
    steps: all.map(() => 1),
    counts: shape.map((dim, axis): Dim => {
      if (dim === BATCH) return BATCH;
      const count = dim - all[axis]![0] - all[axis]![1];
      if (count < 1) throw layer.invalid("crops everything away");
      return count;
    }),
  });
}

/** Repeats positions (nearest neighbour). */
function upsample(layer: LayerCall, factors: readonly number[]): ValueId {
  if (layer.text("interpolation", "nearest") !== "nearest") {
    throw layer.unsupported("interpolates", 'Use interpolation="nearest".');
  }
  const shape = layer.shape(layer.input);
  return spatially(layer, factors, 1).reduce((x, factor, axis) => {
    const length = shape[axis]!;
    if (factor === 1 || length === BATCH) return x;
    if (!Number.isInteger(factor) || factor < 1) throw layer.malformed("size");
    const indices = Array.from({ length: length * factor }, (_, i) => Math.floor(i / factor));
    return layer.add({ op: "gather", x, axis, indices, indicesShape: [indices.length] });
  }, layer.input);
}

function merge(layer: LayerCall, op: BinaryOp): ValueId {
  const [first, ...rest] = layer.inputs;
  if (first === undefined) throw layer.invalid("joins nothing");
  return rest.reduce((sum, next) => layer.add({ op, a: sum, b: next }), first);
}
