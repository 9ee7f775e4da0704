/**
 * One model while its parameters are being chosen: its block layers in real weights, what flows through them on calibration samples,
 * and a simulation of what quantisation and encryption noise do to its answers.
 */
import { type BlockLayer, findBlocks } from "./blocks.ts";
import { type Decisions, decisionsOf, ErrorProfile } from "./error-profile.ts";
import type { Forms } from "./forms.ts";
import type { NormalizedGraph } from "./normal-form.ts";
import {
  biasKeepingMeans,
  type InputStatistics,
  inputStatistics,
  type QuantizedLayer,
  roundMatrices,
} from "./quantize.ts";
import { refitMatrices } from "./refit.ts";

/** What the search chooses: the encoding scale and, per affine layer, integers per unit of weight. */
export interface Scales {
  readonly encode: number;
  readonly weights: readonly number[];
}

/** x̃ = (x − center)·factor, per encrypted feature. */
export interface InputTransform {
  readonly center: Float64Array;
  readonly factor: Float64Array;
}

/** What x̃ can be, per encrypted feature. */
export interface InputRange {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

interface Layer {
  readonly blocks: BlockLayer;
  /** Rows that are squared; the rest is carried. The last layer squares nothing. */
  readonly squared: number;
  readonly means: Float64Array;
  readonly statistics: readonly InputStatistics[];
  readonly largestWeight: number;
}

/** Columns of the check records, and their plain answers. */
interface CheckSet {
  readonly columns: Float64Array[];
  readonly count: number;
}

/** Interval arithmetic bounds the real network; rounding and noise come on top. */
const INTERVAL_ROOM = 1.1;

/** A weight digit is −127..127; two digits of seven bits reach 127·128 + 63. */
export const DIGIT_LIMIT = { 1: 127, 2: 127 * 128 + 63 } as const;

export class MemberModel {
  readonly normalized: NormalizedGraph;
  readonly layers: readonly Layer[];
  /** Squares one after another. */
  readonly squares: number;
  /** `[outputs]` middle of what each output does on the samples; taken out before encryption's last step and added back after it. */
  readonly outputCenter: Float64Array;
  /** Largest distance of an output from its centre on the samples. */
  readonly outputMax: number;
  /** Largest distance of an output from its centre that any record within the calibrated ranges can make. */
  private readonly intervalMax: number;
  private readonly fit: CheckSet;
  private readonly check: CheckSet;
  private readonly decisions: Decisions;
  /** Per layer, what flows into it on the fit set in real arithmetic: the search needs it at every try. */
  private readonly realInputs: readonly (readonly Float64Array[])[];
  /** `[output]` columns on the check set in real arithmetic. */
  private readonly realOutputs: readonly Float64Array[];

  /** `fit` and `check` hold this member's encrypted features, already transformed to x̃. */
  constructor(
    normalized: NormalizedGraph,
    transform: InputTransform & { range: InputRange },
    fit: CheckSet,
    check: CheckSet,
  ) {
    this.normalized = normalized;
    this.fit = fit;
    this.check = check;
    const { normal } = normalized;
    const stages = [...normal.layers.map(({ forms, carried }) => ({ forms, squared: forms.rows - carried }))];
    stages.push({ forms: normal.final, squared: 0 });
    let basis: readonly Float64Array[] = fit.columns;
    const layers: Layer[] = [];
    const inputs: (readonly Float64Array[])[] = [];
    stages.forEach(({ forms, squared }, depth) => {
      const blocks = findBlocks(depth === 0 ? transformForms(forms, transform) : forms);
      inputs.push(basis);
      const means = Float64Array.from(basis, mean);
      layers.push({
        blocks,
        squared,
        means,
        statistics: inputStatistics(blocks, basis, means),
        largestWeight: largestWeight(blocks),
      });
      basis = applyReal(blocks, squared, basis, fit.count);
    });
    this.layers = layers;
    this.realInputs = inputs;
    this.squares = layers.length - 1;
    this.realOutputs = this.runReal(check);
    const { center, largest } = centres(basis, this.realOutputs);
    this.outputCenter = center;
    this.outputMax = largest;
    this.intervalMax = largestByIntervals(layers, transform.range, center);
    this.decisions = decisionsOf(normalized.tail, this.realOutputs);
  }

  get outputs(): number {
    return this.outputCenter.length;
  }

  /** log2 of the scale of the outputs: every layer's scale is squared with everything before it. */
  outputScaleBits(scales: Scales): number {
    return scales.weights.reduce(
      (bits, weight, depth) => (depth === 0 ? bits : 2 * bits) + Math.log2(weight),
      Math.log2(scales.encode),
    );
  }

  /**
   * Bits of modulus that the outputs need at these scales: `margin` of room beyond what the samples showed, or what interval
   * arithmetic allows them at most where that is less.
   */
  modulusBits(scales: Scales, margin: number): number {
    const bound = INTERVAL_ROOM * Math.max(this.outputMax, this.intervalMax);
    const largest = Math.min(this.outputMax * margin, bound);
    return this.outputScaleBits(scales) + Math.log2(2 * largest);
  }

  /**
   * The layers as they will be computed, one after another: each is adapted to what the ones before it leave under encryption noise of
   * `noise` slot units, then rounded. A layer without digits stays real.
   */
  quantize(
    scales: Scales,
    digits: readonly (1 | 2 | undefined)[],
    noise: number,
    random: () => number,
  ): QuantizedLayer[] {
    const { columns, count } = this.fit;
    let path: readonly Float64Array[] = withNoise(columns, noise / scales.encode, random);
    return this.layers.map(({ blocks, squared, statistics, means }, depth): QuantizedLayer => {
      const real = this.realInputs[depth]!;
      const weights = depth === 0 ? blocks.matrices.map((matrix) => matrix.weights) : refitMatrices(blocks, real, path);
      const untouched = path === real && digits[depth] === undefined;
      const scale = scales.weights[depth]!;
      const kind = digits[depth];
      const [matrices, unit] =
        kind === undefined
          ? [weights, 1]
          : [roundMatrices(blocks, weights, statistics, scale, DIGIT_LIMIT[kind]), 1 / scale];
      const bias = biasKeepingMeans(blocks, matrices, unit, means, Float64Array.from(path, mean));
      if (depth < this.squares) {
        const next = this.realInputs[depth + 1]!;
        path = untouched ? next : applyBlocks(blocks, matrices, unit, bias, squared, path, count);
      }
      return { matrices, unit, bias };
    });
  }

  /**
   * Mean square error of the outputs from each source alone: encryption noise of `noise` slot units at encoding scale `encode`, and each
   * layer's rounding.
   */
  errorSources(
    scales: Scales,
    noise: number,
    random: () => number,
  ): { readonly noise: number; readonly layers: number[] } {
    const errorOf = (digits: readonly (2 | undefined)[], level: number) => {
      const quantized = this.quantize(scales, digits, level, random);
      return meanSquare(this.realOutputs, this.simulate(quantized, level / scales.encode, random));
    };
    const none = this.layers.map(() => undefined);
    return {
      noise: errorOf(none, noise),
      layers: this.layers.map((_, depth) =>
        errorOf(
          none.map((__, at) => (at === depth ? 2 : undefined)),
          0,
        ),
      ),
    };
  }

  /** Quantised and under encryption noise against real arithmetic, on the check set. */
  simulatedErrors(
    quantized: readonly QuantizedLayer[],
    scales: Scales,
    noise: number,
    random: () => number,
  ): ErrorProfile {
    const outputs = this.simulate(quantized, noise / scales.encode, random);
    const errors = outputs.map((column, i) => column.map((value, s) => value - this.realOutputs[i]![s]!));
    return new ErrorProfile(this.realOutputs, errors, this.decisions);
  }

  /** Outputs `[records, outputs]`, row-major, in real arithmetic with the fitted activations. */
  plainOutputs(set: CheckSet): Float64Array {
    return rowMajor(this.runReal(set), set.count);
  }

  private runReal(set: CheckSet): readonly Float64Array[] {
    let values: readonly Float64Array[] = set.columns;
    for (const { blocks, squared } of this.layers) values = applyReal(blocks, squared, values, set.count);
    return values;
  }

  private simulate(quantized: readonly QuantizedLayer[], noise: number, random: () => number): readonly Float64Array[] {
    const { columns, count } = this.check;
    let values = withNoise(columns, noise, random);
    this.layers.forEach(({ blocks, squared }, depth) => {
      const { matrices, unit, bias } = quantized[depth]!;
      values = applyBlocks(blocks, matrices, unit, bias, squared, values, count);
    });
    return values;
  }
}

/** Forms over x as forms over x̃. */
function transformForms(forms: Forms, { center, factor }: InputTransform): Forms {
  const constant = forms.constant.slice();
  const weight = new Float64Array(forms.weight.length);
  for (let row = 0; row < forms.rows; row++) {
    for (let e = forms.start[row]!; e < forms.start[row + 1]!; e++) {
      const column = forms.column[e]!;
      weight[e] = forms.weight[e]! / factor[column]!;
      constant[row] = constant[row]! + forms.weight[e]! * center[column]!;
    }
  }
  return { ...forms, weight, constant };
}

function applyReal(
  layer: BlockLayer,
  squared: number,
  basis: readonly Float64Array[],
  samples: number,
): readonly Float64Array[] {
  const matrices = layer.matrices.map(({ weights }) => weights);
  return applyBlocks(layer, matrices, 1, layer.constant, squared, basis, samples);
}

/** One affine layer and the square after it on sample columns. */
function applyBlocks(
  layer: BlockLayer,
  matrices: readonly ArrayLike<number>[],
  unit: number,
  bias: Float64Array,
  squared: number,
  basis: readonly Float64Array[],
  samples: number,
): readonly Float64Array[] {
  const out = Array.from({ length: layer.rows }, (_, row) => new Float64Array(samples).fill(bias[row]!));
  for (const block of layer.blocks) {
    const weights = matrices[block.matrix]!;
    const m = block.outputs.length;
    for (let column = 0; column < m; column++) {
      const target = out[block.outputs[column]!]!;
      for (let row = 0; row < block.inputs.length; row++) {
        const input = block.inputs[row]!;
        const weight = weights[row * m + column]! * unit;
        if (input < 0 || weight === 0) continue;
        const source = basis[input]!;
        for (let s = 0; s < samples; s++) target[s] = target[s]! + weight * source[s]!;
      }
    }
  }
  for (let row = 0; row < squared; row++) {
    const values = out[row]!;
    for (let s = 0; s < samples; s++) values[s] = values[s]! * values[s]!;
  }
  return out;
}

/** Few samples show little of what outputs can be: room grows by this over the square root of their number. */
const FEW_SAMPLES = 2;
/** Outputs are taken to move by at least this share of their size, however still they hold on the samples. */
const LEAST_SPREAD = 0.25;

function centres(...sets: (readonly Float64Array[])[]): { center: Float64Array; largest: number } {
  const outputs = sets[0]!.length;
  const center = new Float64Array(outputs);
  let largest = 0;
  let size = 0;
  for (let output = 0; output < outputs; output++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const set of sets) {
      for (const value of set[output]!) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    center[output] = (low + high) / 2;
    largest = Math.max(largest, (high - low) / 2);
    size = Math.max(size, Math.abs(low), Math.abs(high));
  }
  const samples = sets.reduce((sum, set) => sum + set[0]!.length, 0);
  const spread = Math.max(largest, LEAST_SPREAD * size, 1e-6);
  return { center, largest: spread * (1 + FEW_SAMPLES / Math.sqrt(samples)) };
}

/** Interval arithmetic through the real network: how far from its centre an output can get. */
function largestByIntervals(layers: readonly Layer[], range: InputRange, center: Float64Array): number {
  let { low, high } = range;
  for (const { blocks: layer, squared } of layers) {
    const least = layer.constant.slice();
    const most = layer.constant.slice();
    for (const block of layer.blocks) {
      const { k, m, weights } = layer.matrices[block.matrix]!;
      for (let row = 0; row < k; row++) {
        const input = block.inputs[row]!;
        if (input < 0) continue;
        for (let column = 0; column < m; column++) {
          const weight = weights[row * m + column]!;
          const output = block.outputs[column]!;
          least[output] = least[output]! + weight * (weight > 0 ? low[input]! : high[input]!);
          most[output] = most[output]! + weight * (weight > 0 ? high[input]! : low[input]!);
        }
      }
    }
    for (let row = 0; row < squared; row++) {
      const [a, b] = [least[row]! ** 2, most[row]! ** 2];
      least[row] = least[row]! <= 0 && most[row]! >= 0 ? 0 : Math.min(a, b);
      most[row] = Math.max(a, b);
    }
    low = least;
    high = most;
  }
  return center.reduce((most, middle, i) => Math.max(most, high[i]! - middle, middle - low[i]!), 0);
}

function largestWeight(layer: BlockLayer): number {
  let largest = 0;
  for (const { weights } of layer.matrices) for (const weight of weights) largest = Math.max(largest, Math.abs(weight));
  return Math.max(largest, 1e-12);
}

function rowMajor(columns: readonly Float64Array[], rows: number): Float64Array {
  const out = new Float64Array(rows * columns.length);
  columns.forEach((column, i) => {
    for (let row = 0; row < rows; row++) out[row * columns.length + i] = column[row]!;
  });
  return out;
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / Math.max(1, values.length);
}

function meanSquare(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  let sum = 0;
  let count = 0;
  a.forEach((column, i) => {
    const other = b[i]!;
    for (let s = 0; s < column.length; s++) sum += (column[s]! - other[s]!) ** 2;
    count += column.length;
  });
  return sum / Math.max(1, count);
}

/** Columns with independent noise of this deviation on every value. */
function withNoise(columns: readonly Float64Array[], deviation: number, random: () => number): readonly Float64Array[] {
  if (deviation === 0) return columns;
  return columns.map((column) => column.map((value) => value + deviation * gaussian(random)));
}

/** Standard normal (Box and Muller). */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
