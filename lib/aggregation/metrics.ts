/** How good a reducer's answers are: accuracy, log loss, calibration; squared error for regression. With intervals. */
import { argmax } from "./simple-reducers.ts";

export interface ReliabilityBin {
  /** Mean of the stated top probabilities in this bin, and the share of them that was right. */
  readonly confidence: number;
  readonly accuracy: number;
  readonly records: number;
}

export interface ClassificationScore {
  readonly records: number;
  readonly accuracy: number;
  /** 95 % Wilson interval. */
  readonly accuracyInterval: readonly [number, number];
  /** Mean of −log p(label), in nats. */
  readonly logLoss: number;
  /** Expected calibration error over 15 bins of equal width (Guo et al., ICML 2017). */
  readonly calibrationError: number;
  readonly reliability: readonly ReliabilityBin[];
}

const BINS = 15;

/** @param logProbabilities `[records, classes]`; @param labels `[records]` class indices */
export function scoreClassification(
  logProbabilities: Float64Array,
  classes: number,
  labels: ArrayLike<number>,
): ClassificationScore {
  const records = labels.length;
  const bins = Array.from({ length: BINS }, () => ({ confidence: 0, right: 0, records: 0 }));
  let right = 0;
  for (let r = 0; r < records; r++) {
    const row = logProbabilities.subarray(r * classes, (r + 1) * classes);
    const top = argmax(row);
    const confidence = Math.exp(row[top]!);
    const bin = bins[Math.min(BINS - 1, Math.floor(confidence * BINS))]!;
    bin.records++;
    bin.confidence += confidence;
    if (top === labels[r]) {
      bin.right++;
      right++;
    }
  }
  const filled = bins.filter((bin) => bin.records > 0);
  const gap = filled.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0);
  return {
    records,
    accuracy: right / records,
    accuracyInterval: wilson(right, records),
    logLoss: meanOf(logLosses(logProbabilities, classes, labels)),
    calibrationError: gap / records,
    reliability: filled.map((bin) => ({
      confidence: bin.confidence / bin.records,
      accuracy: bin.right / bin.records,
      records: bin.records,
    })),
  };
}

/** −log p(label) of every record. */
export function logLosses(logProbabilities: Float64Array, classes: number, labels: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: labels.length }, (_, r) => -logProbabilities[r * classes + labels[r]!]!);
}

/** Mean squared error of every record over its values. @param targets `[records, values]` */
export function squaredErrors(predictions: Float64Array, values: number, targets: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: predictions.length / values }, (_, r) => {
    let sum = 0;
    for (let v = 0; v < values; v++) sum += (predictions[r * values + v]! - targets[r * values + v]!) ** 2;
    return sum / values;
  });
}

/** Wilson score interval (Wilson 1927) of a share, 95 %. */
export function wilson(right: number, total: number): [number, number] {
  if (total === 0) return [0, 1];
  const z = 1.959964;
  const share = right / total;
  const middle = (share + (z * z) / (2 * total)) / (1 + (z * z) / total);
  const half = (z / (1 + (z * z) / total)) * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Standard error of the mean. */
export function standardError(values: ArrayLike<number>): number {
  const mean = meanOf(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - mean) ** 2;
  return Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
}
