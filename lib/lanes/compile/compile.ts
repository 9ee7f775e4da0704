/**
 * The compiler: models and calibration records → lane programs for donors, a plan for the key-holder, and a report of what it costs.
 *
 *   graph ─ normal-form.ts ─▶ (affine, square)* + tail ─ blocks.ts ─▶ shared matrices ─ search.ts ─▶ ring, scales ─ quantize.ts, tiles.ts,
 *   emit.ts ─▶ lane program
 *
 * Fidelity through real encryption is measured by the key-holder (`planEncrypted` in lib/keyholder), which has the key that it takes.
 */
import { evaluate } from "#lib/model/evaluate.ts";
import { type Graph, recordElements, valueInfo } from "#lib/model/graph.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { laneBytes, maxLanesPerPayload, PAYLOAD_HEADER_BYTES, RESULT_HEADER_BYTES, resultLaneBytes } from "../block.ts";
import { LANE_LIMITS } from "../limits.ts";
import { encodeTail, type KeyholderPlan, type OutsidePolicy } from "../plan.ts";
import { bitLength } from "../primes.ts";
import type { LaneProgram } from "../program.ts";
import { encodeProgram, programDigest } from "../program-codec.ts";
import { emitProgram } from "./emit.ts";
import { compareOutputs, type Fidelity, type Outputs, runTail } from "./fidelity.ts";
import { type InputTransform, MemberModel } from "./member.ts";
import { type FittedActivation, type NormalizedGraph, normalize } from "./normal-form.ts";
import { groupNs, LOAD_NS, RESULT_NS, SQUARE_NS } from "./product-cost.ts";
import { modulusBits, RING_DEGREES, SECURITY_BITS_128, wireBits } from "./rings.ts";
import { searchParameters } from "./search.ts";

/** Plain records `[rows, features]`, row-major: all model inputs of a record flattened, one after another. */
export interface CalibrationRecords {
  readonly rows: number;
  readonly features: number;
  readonly data: Float32Array | Float64Array;
}

export interface CompileOptions {
  /** Share of answers that quantisation and noise may not change; the fidelity of fitted activations comes on top. Default 0.999. */
  readonly aim?: number;
  /** What the aim may be lowered to where that keeps payloads small. Default: no bound of its own. */
  readonly leastAim?: number;
  /** Room in the modulus beyond the outputs seen in calibration. Default 1.25. */
  readonly margin?: number;
  /** Ring degrees to choose from. Default all. */
  readonly degrees?: readonly number[];
  /** Records of the job, if known. */
  readonly records?: number;
  /** What the key-holder does with values outside the calibrated range. Default clip. */
  readonly outside?: OutsidePolicy;
  /** `[features]` ranges of the record's values, where they are known better than from the calibration records. */
  readonly ranges?: { readonly low: ArrayLike<number>; readonly high: ArrayLike<number> };
  /** Uniform in 0..1; the compiler's simulations are repeatable with a seeded one. Default Math.random. */
  readonly random?: () => number;
}

export interface CompiledMember {
  readonly program: LaneProgram;
  readonly programBytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  readonly report: MemberReport;
}

export interface MemberReport {
  readonly squares: number;
  readonly fittedActivations: readonly FittedActivation[];
  readonly weightDigits: readonly (1 | 2)[];
  /** The model with its fitted activations, in real arithmetic, against the model itself. */
  readonly approximation: Fidelity;
  /** Simulated: quantised and noisy against real arithmetic. */
  readonly quantization: { readonly sameAnswers: number; readonly rmsError: number };
  readonly programBytes: number;
  readonly donorMicrosecondsPerLane: number;
}

export interface CostReport {
  readonly ringDegree: number;
  readonly modulusBits: number;
  readonly primeBits: readonly number[];
  /** All primes with SEAL's own, and what the ring degree allows at 128-bit security. */
  readonly securityBits: { readonly level: 128; readonly usedBits: number; readonly allowedBits: number };
  readonly recordsPerBatch: number;
  readonly encryptedFeatures: number;
  readonly bytesDownPerRecord: number;
  readonly bytesUpPerRecord: number;
  readonly bytesPerInputValue: number;
  readonly microtasksPerBatch: number;
  /** Estimated, one WASM thread on a 2024 core. */
  readonly donorCoreSecondsPerRecord: number;
  /** Estimated: encryption and decryption. */
  readonly keyholderMsPerRecord: number;
  /** Multiply-adds of the plain model per record, and what they take a core at 4 G/s. */
  readonly plainMultiplyAdds: number;
  readonly plainMsPerRecord: number;
}

export interface Compiled {
  readonly plan: KeyholderPlan;
  readonly members: readonly CompiledMember[];
  readonly cost: CostReport;
}

/** Measured: SEAL in WASM takes 0.3 µs per value and data prime to encrypt, and 0.8 µs per value and prime to decrypt. */
const ENCRYPT_US_PER_VALUE_AND_PRIME = 0.32;
const DECRYPT_US_PER_VALUE_AND_PRIME = 0.8;
/** A plain float32 model in WASM, one thread. */
const PLAIN_MULTIPLY_ADDS_PER_MS = 4e6;

export const DEFAULT_AIM = 0.999;

const FIT_SAMPLES = 512;
const CHECK_SAMPLES = 1024;
/** Values that one layer's samples may hold: bounds memory for wide layers. */
const SAMPLE_VALUES = 2 ** 25;

/**
 * Compiles models that read the same record to one plan. Throws FluxError: `plan_unsupported_operator`, `plan_too_deep`, `plan_impossible`,
 * `plan_range`, `dataset_mismatch`.
 */
export async function compilePlan(
  graphs: readonly Graph[],
  calibration: CalibrationRecords,
  options: CompileOptions = {},
): Promise<Compiled> {
  const sourceFeatures = checkInputs(graphs, calibration);
  const { fit, check } = splitSamples(graphs, calibration);
  const normalized = graphs.map((graph) => normalize(graph, { count: fit.count, columns: [...fit.columns] }));
  const used = [...new Set(normalized.flatMap(({ normal }) => normal.features))].sort((a, b) => a - b);
  if (used.length > LANE_LIMITS.maxFeatures) {
    throw new FluxError(
      "plan_impossible",
      `The model reads ${used.length} values per record; encrypted jobs read at most ${LANE_LIMITS.maxFeatures}. Shrink the input, or cut records into segments.`,
    );
  }
  const input = inputTransform(used, normalized, calibration, options);
  const place = new Map(used.map((feature, i) => [feature, i]));
  const members = normalized.map((model, i) => {
    const positions = model.normal.features.map((feature) => place.get(feature)!);
    const transform: InputTransform = {
      center: Float64Array.from(positions, (at) => input.center[at]!),
      factor: Float64Array.from(positions, (at) => input.factor[at]!),
    };
    const encoded = (set: SampleSet): SampleSet => ({
      count: set.count,
      columns: positions.map((at) => {
        const column = set.columns[used[at]!]!;
        return column.map(
          (value) => (clamp(value, input.low[at]!, input.high[at]!) - input.center[at]!) * input.factor[at]!,
        );
      }),
    });
    const encodedCheck = encoded(check);
    const member = new MemberModel(model, transform, encoded(fit), encodedCheck);
    const real = runTail(model.tail, member.plainOutputs(encodedCheck), check.count);
    const approximation = compareOutputs(graphs[i]!, plainOutputs(graphs[i]!, check), real, check.count);
    return { positions, model: member, approximation };
  });
  const choice = searchParameters(
    members.map(({ model }) => model),
    {
      aims: members.map(({ approximation }) => aimBeside(approximation, options.aim ?? DEFAULT_AIM)),
      leastAim: options.leastAim ?? 0,
      margin: options.margin ?? 1.25,
      degrees: options.degrees ?? RING_DEGREES,
      records: options.records,
      random: options.random ?? Math.random,
    },
  );
  const { ring, encode } = choice;
  const compiled: CompiledMember[] = [];
  const planMembers: KeyholderPlan["members"] = [];
  for (const [i, { positions, model, approximation }] of members.entries()) {
    const { weights, digits } = choice.members[i]!;
    const scales = { encode, weights };
    const { quantized, sameAnswers, rmsError } = choice.simulated[i]!;
    const places = { position: positions, total: used.length };
    const { program, scaleOut } = emitProgram(model, quantized, scales, digits, ring, places);
    const programBytes = encodeProgram(program);
    const digest = await programDigest(programBytes);
    const { tail, fitted } = model.normalized;
    compiled.push({
      program,
      programBytes,
      digest,
      report: {
        squares: model.squares,
        fittedActivations: fitted,
        weightDigits: digits,
        approximation,
        quantization: { sameAnswers, rmsError },
        programBytes: programBytes.length,
        donorMicrosecondsPerLane: donorMicrosecondsPerLane(program),
      },
    });
    planMembers.push({
      digest,
      outputs: model.outputs,
      polysOut: program.polysOut,
      scaleOut,
      factor: new Array<number>(model.outputs).fill(1),
      center: [...model.outputCenter],
      expectedMax: model.outputMax,
      capacity: 2 ** (modulusBits(ring.primes) - 1) / scaleOut,
      precisionBits: Math.round(-Math.log2(Math.max(rmsError, 2 ** -60))),
      tail: encodeTail(tail),
    });
  }
  const plan: KeyholderPlan = {
    version: 1,
    ring: {
      n: ring.n,
      primes: [...ring.primes],
      ...(ring.specialPrime === undefined ? {} : { specialPrime: ring.specialPrime }),
    },
    input: {
      sourceFeatures,
      index: used,
      center: [...input.center],
      factor: [...input.factor],
      low: [...input.low],
      high: [...input.high],
      outside: options.outside ?? "clip",
      scale: encode,
    },
    members: planMembers,
  };
  return { plan, members: compiled, cost: costReport(plan, compiled, normalized) };
}

/** Where fitted activations change answers anyway, quantisation may change an eighth as many: bits would buy nothing there. */
function aimBeside(approximation: Fidelity, aim: number): number {
  return Math.min(aim, 1 - (1 - approximation.sameAnswers) / 8);
}

// ---------------------------------------------------------------- records

interface SampleSet {
  readonly count: number;
  /** `[sourceFeatures]` */
  readonly columns: Float64Array[];
}

function checkInputs(graphs: readonly Graph[], calibration: CalibrationRecords): number {
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
function splitSamples(graphs: readonly Graph[], records: CalibrationRecords): { fit: SampleSet; check: SampleSet } {
  const widest = Math.max(
    records.features,
    ...graphs.flatMap((graph) => graph.nodes.map(({ output }) => recordElements(valueInfo(graph, output).shape))),
  );
  const most = Math.max(16, Math.floor(SAMPLE_VALUES / widest));
  const total = Math.min(records.rows, Math.min(FIT_SAMPLES + CHECK_SAMPLES, most));
  const rows = Array.from({ length: total }, (_, i) => Math.floor((i * records.rows) / total));
  if (total < 48) return { fit: columnsOf(records, rows), check: columnsOf(records, rows) };
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

function plainOutputs(graph: Graph, set: SampleSet): Outputs {
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

interface InputRanges extends InputTransform {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/**
 * x̃ in about −1..1. One range for all features where a convolution shares its weights over them (per-feature factors would
 * make every position's matrix different), each feature its own otherwise.
 */
function inputTransform(
  used: readonly number[],
  models: readonly NormalizedGraph[],
  calibration: CalibrationRecords,
  options: CompileOptions,
): InputRanges {
  const low = new Float64Array(used.length).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(used.length).fill(Number.NEGATIVE_INFINITY);
  used.forEach((feature, i) => {
    if (options.ranges !== undefined) {
      low[i] = options.ranges.low[feature]!;
      high[i] = options.ranges.high[feature]!;
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
  if (sharesWeights && options.ranges === undefined) {
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

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

// ---------------------------------------------------------------- cost

function costReport(
  plan: KeyholderPlan,
  members: readonly CompiledMember[],
  models: readonly NormalizedGraph[],
): CostReport {
  const { n, primes, specialPrime } = plan.ring;
  const features = plan.input.index.length;
  const records = n / 2;
  const lanes = n * primes.length;
  const microtasks = primes.reduce((sum, q) => sum + Math.ceil(n / maxLanesPerPayload(q, features)), 0);
  const down = primes.reduce((sum, q) => sum + n * laneBytes(q, features), 0) + microtasks * PAYLOAD_HEADER_BYTES;
  const up = members.reduce(
    (sum, { program }) =>
      primes.reduce((bytes, q) => bytes + n * resultLaneBytes(q, program.polysOut * program.outputs), sum) +
      microtasks * RESULT_HEADER_BYTES,
    0,
  );
  const laneMicroseconds = members.reduce((sum, { report }) => sum + report.donorMicrosecondsPerLane, 0);
  const decrypted = members.reduce((sum, { program }) => sum + program.outputs * (program.polysOut / 5), 0);
  const plainMultiplyAdds = models.reduce((sum, { normal }) => {
    const layers = normal.layers.reduce((count, { forms }) => count + forms.column.length, 0);
    return sum + layers + normal.final.column.length;
  }, 0);
  return {
    ringDegree: n,
    modulusBits: modulusBits(primes),
    primeBits: primes.map(bitLength),
    securityBits: {
      level: 128,
      usedBits: wireBits(specialPrime === undefined ? primes : [...primes, specialPrime]),
      allowedBits: SECURITY_BITS_128[n]!,
    },
    recordsPerBatch: records,
    encryptedFeatures: features,
    bytesDownPerRecord: down / records,
    bytesUpPerRecord: up / records,
    bytesPerInputValue: down / records / features,
    microtasksPerBatch: microtasks,
    donorCoreSecondsPerRecord: (laneMicroseconds * lanes) / records / 1e6,
    keyholderMsPerRecord:
      ((features * ENCRYPT_US_PER_VALUE_AND_PRIME + decrypted * DECRYPT_US_PER_VALUE_AND_PRIME) * primes.length) / 1000,
    plainMultiplyAdds,
    plainMsPerRecord: plainMultiplyAdds / PLAIN_MULTIPLY_ADDS_PER_MS,
  };
}

/** By the cost table of product-cost.ts. */
function donorMicrosecondsPerLane(program: LaneProgram): number {
  let polys = 2;
  let ns = LOAD_NS * program.inputs + RESULT_NS * program.polysOut * program.outputs;
  for (const step of program.steps) {
    switch (step.kind) {
      case "affine":
        for (const group of step.groups) {
          const { k, m, digits } = program.matrices[group.matrix]!;
          ns += polys * groupNs(k, m, digits.length);
        }
        break;
      case "square":
        polys = 2 * polys - 1;
        ns += polys * step.width * SQUARE_NS;
        break;
    }
  }
  return ns / 1000;
}
