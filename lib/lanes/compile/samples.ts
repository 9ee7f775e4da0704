/** Calibration records: checked, split, as columns, and the ranges that they show. */
import { evaluate } from "#lib/model/evaluate.ts";
import { type Graph, recordElements, valueInfo } from "#lib/model/graph.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { Outputs } from "./fidelity.ts";
import type { InputTransform } from "./member.ts";
import type { NormalizedGraph } from "./normal-form.ts";

/** Plain records `[rows, features]`, row-major: all model inputs of a record flattened, one after another. */
export interface CalibrationRecords {
  readonly rows: number;
  readonly features: number;
  readonly data: Float32Array | Float64Array;
}

const FIT_SAMPLES = 512;
const CHECK_SAMPLES = 1024;
/** Below this, records are not split. */
const FEW_RECORDS = 64;
/** Values that one layer's samples may hold: bounds memory for wide layers. */
const SAMPLE_VALUES = 2 ** 25;

/** `[features]` ranges of the record's values. */
export interface ValueRanges {
  readonly low: ArrayLike<number>;
  readonly high: ArrayLike<number>;
}

export interface SampleSet {
  readonly count: number;
  /** `[sourceFeatures]` */
  readonly columns: Float64Array[];
}

export function checkInputs(graphs: readonly Graph[], calibration: CalibrationRecords): number {
  const counts = graphs.map((graph) => graph.inputs.reduce((sum, port) => sum + recordElements(port.shape), 0));
  const sourceFeatures = counts[0];
  if (sourceFeatures === undefined || counts.some((count) => count !== sourceFeatures)) {
    throw new FluxError(
      "invalid_request",
      "The models of one job must read the same record. Submit them as separate jobs.",
    );
  }
  const { rows, features, data } = calibration;
  if (features !== sourceFeatures || data.length !== rows * features) {
    throw new FluxError(
      "dataset_mismatch",
      `Records have ${features} values, the model reads ${sourceFeatures}. Map the dataset's columns to the model's inputs.`,
    );
  }
  if (rows < 1)
    throw new FluxError("dataset_empty", "Calibration needs at least one record. Add records to the dataset.");
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new FluxError(
      "plan_range",
      `Record ${Math.floor(bad / features)}, value ${bad % features} is not a finite number. Fill or drop missing values.`,
    );
  }
  return sourceFeatures;
}

/** Records to fit on and others to check on, spread over the dataset; the same ones where there are few. */
export function splitSamples(
  graphs: readonly Graph[],
  records: CalibrationRecords,
): { fit: SampleSet; check: SampleSet } {
  const widest = Math.max(
    records.features,
    ...graphs.flatMap((graph) => graph.nodes.map(({ output }) => recordElements(valueInfo(graph, output).shape))),
  );
  const most = Math.max(16, Math.floor(SAMPLE_VALUES / widest));
  const total = Math.min(records.rows, Math.min(FIT_SAMPLES + CHECK_SAMPLES, most));
  const rows = Array.from({ length: total }, (_, i) => Math.floor((i * records.rows) / total));
  if (total < FEW_RECORDS) {
    // The same few, again and again: every repetition is under other noise when errors are measured.
    const repeated = Array.from({ length: FEW_RECORDS }, (_, i) => rows[i % total]!);
    return { fit: columnsOf(records, repeated), check: columnsOf(records, repeated) };
  }
  return {
    fit: columnsOf(
      records,
      rows.filter((_, i) => i % 3 === 0),
    ),
    check: columnsOf(
      records,
      rows.filter((_, i) => i % 3 !== 0),
    ),
  };
}

function columnsOf(records: CalibrationRecords, rows: readonly number[]): SampleSet {
  const columns = Array.from({ length: records.features }, (_, feature) =>
    Float64Array.from(rows, (row) => records.data[row * records.features + feature]!),
  );
  return { count: rows.length, columns };
}

export function plainOutputs(graph: Graph, set: SampleSet): Outputs {
  let first = 0;
  const inputs = new Map<string, Float64Array>();
  for (const port of graph.inputs) {
    const width = recordElements(port.shape);
    const values = new Float64Array(set.count * width);
    for (let i = 0; i < width; i++) {
      const column = set.columns[first + i]!;
      for (let record = 0; record < set.count; record++) values[record * width + i] = column[record]!;
    }
    inputs.set(port.name, values);
    first += width;
  }
  return evaluate(graph, { records: set.count, inputs });
}

export interface InputRanges extends InputTransform {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/**
 * x̃ in about −1..1. One range for all features where a convolution shares its weights over them (per-feature factors would
 * make every position's matrix different), each feature its own otherwise.
 */
export function inputTransform(
  used: readonly number[],
  models: readonly NormalizedGraph[],
  calibration: CalibrationRecords,
  ranges: ValueRanges | undefined,
): InputRanges {
  const low = new Float64Array(used.length).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(used.length).fill(Number.NEGATIVE_INFINITY);
  used.forEach((feature, i) => {
    if (ranges !== undefined) {
      low[i] = ranges.low[feature]!;
      high[i] = ranges.high[feature]!;
      if (!(Number.isFinite(low[i]) && Number.isFinite(high[i]) && low[i]! <= high[i]!)) {
        throw new FluxError(
          "plan_range",
          `The range of value ${feature} is ${low[i]}..${high[i]}. Give finite low and high for every value, or leave ranges out.`,
        );
      }
      return;
    }
    for (let row = 0; row < calibration.rows; row++) {
      const value = calibration.data[row * calibration.features + feature]!;
      low[i] = Math.min(low[i]!, value);
      high[i] = Math.max(high[i]!, value);
    }
  });
  const sharesWeights = models.some(({ normal }) => {
    const first = normal.layers[0]?.forms ?? normal.final;
    return first.column.length < first.rows * normal.features.length;
  });
  const lowest = low.reduce((a, b) => Math.min(a, b));
  const highest = high.reduce((a, b) => Math.max(a, b));
  // Where features share weights they share the range: a pixel that is dark in calibration may be bright elsewhere.
  if (sharesWeights && ranges === undefined) {
    low.fill(lowest);
    high.fill(highest);
  }
  const span = (at: number) => (sharesWeights ? [lowest, highest] : [low[at]!, high[at]!]) as [number, number];
  const center = low.map((_, at) => (span(at)[0] + span(at)[1]) / 2);
  const factor = low.map((_, at) => {
    const half = (span(at)[1] - span(at)[0]) / 2;
    return half > 0 ? 1 / half : 1;
  });
  return { center, factor, low, high };
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
