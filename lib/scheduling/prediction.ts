/**
 * A duration's quantiles from what is believed of its four parts: the sum of log-normals, matched by its first two moments
 * (Fenton 1960), its tails stretched as calibration found necessary (calibration.ts).
 */
import type { Tails } from "./calibration.ts";
import type { Interval, Prediction } from "./types.ts";

/** Medians in ms, and "growths" (e to the log variance), of one (donor, stage). */
export interface Rates {
  /** Artefacts that the donor lacks. */
  artefactMs: number;
  downMsPerByte: number;
  downMsPerUnit: number;
  downGrowth: number;
  computeMsPerUnit: number;
  computeGrowth: number;
  upMsPerUnit: number;
  upGrowth: number;
  overheadMs: number;
  overheadGrowth: number;
  tails: Tails;
}

const Z90 = 1.2815515655446004;
const Z99_OF_Z90 = 2.3263478740408408 / Z90;

export function predictionOf(rates: Rates, units: number, microtasks: number): Prediction {
  const whole = quantiles(rates, rates.artefactMs, units, microtasks);
  const warm: Interval = rates.artefactMs === 0 ? whole : quantiles(rates, 0, units, microtasks);
  return { ...whole, warm };
}

/** The 90th percentile with every artefact in the cache. */
export function warmP90(rates: Rates, units: number, microtasks: number): number {
  return quantiles(rates, 0, units, microtasks).p90;
}

function quantiles(rates: Rates, artefactMs: number, units: number, microtasks: number) {
  const { downGrowth, computeGrowth, upGrowth, overheadGrowth, tails } = rates;
  const down = meanOf(artefactMs + rates.downMsPerUnit * units, downGrowth);
  const compute = meanOf(rates.computeMsPerUnit * units, computeGrowth);
  const up = meanOf(rates.upMsPerUnit * units, upGrowth);
  const overhead = meanOf(rates.overheadMs * microtasks, overheadGrowth);
  const mean = down + compute + up + overhead;
  const variance =
    down * down * (downGrowth - 1) +
    compute * compute * (computeGrowth - 1) +
    up * up * (upGrowth - 1) +
    overhead * overhead * (overheadGrowth - 1);
  const ratio = 1 + variance / (mean * mean);
  const sigma = Math.sqrt(Math.log(ratio));
  const p50 = mean / Math.sqrt(ratio);
  const high = Math.exp(Z90 * sigma * tails.high);
  return {
    p10: p50 * Math.exp(-Z90 * sigma * tails.low),
    p50,
    p90: p50 * high,
    p99: p50 * high ** Z99_OF_Z90,
  };
}

/** Mean of a log-normal from its median and e^variance. */
const meanOf = (medianMs: number, growth: number) => medianMs * Math.sqrt(growth);
