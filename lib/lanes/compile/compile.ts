import type { Graph } from "#lib/model/graph.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { joinPrograms } from "../join-programs.ts";
import { LANE_LIMITS } from "../limits.ts";
import { encodeTail, type KeyholderPlan, type OutsidePolicy } from "../plan.ts";
import type { LaneProgram } from "../program.ts";
import { encodeProgram, programDigest } from "../program-codec.ts";
import { type CostReport, costReport, donorMicrosecondsPerLane } from "./cost.ts";
import {
  type CalibrationRecords,
  checkInputs,
  clamp,
  inputTransform,
  plainOutputs,
  type SampleSet,
  splitSamples,
  type ValueRanges,
} from "./samples.ts";

export type { CostReport } from "./cost.ts";
export type { CalibrationRecords } from "./samples.ts";

import { emitProgram } from "./emit.ts";
import { compareOutputs, type Fidelity, runTail } from "./fidelity.ts";
import { MemberModel } from "./member.ts";
import { normalize } from "./normal-form.ts";
import type { FittedActivation } from "./quadratics.ts";
import { modulusBits, RING_DEGREES } from "./rings.ts";
import { searchParameters } from "./search.ts";

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
  readonly ranges?: ValueRanges;
  /** Uniform in 0..1; the compiler's simulations are repeatable with a seeded one. Default Math.random. */
  readonly random?: () => number;
}

/** What donors run on every lane: one for all members that can be joined (join-programs.ts). */
export interface CompiledProgram {
  readonly program: LaneProgram;
  readonly programBytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  /** Positions of the members that it computes. */
  readonly members: readonly number[];
}

/** A model, and the program that computes it, alone or with others. */
export interface CompiledMember extends Omit<CompiledProgram, "members"> {
  /** Where its outputs begin among the program's. */
  readonly firstOutput: number;
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

export interface Compiled {
  readonly plan: KeyholderPlan;
  readonly members: readonly CompiledMember[];
  readonly programs: readonly CompiledProgram[];
  readonly cost: CostReport;
}

/** Share of answers that quantisation and noise should leave alone unless a submitter wants more: expected two changed in 2,000. */
export const DEFAULT_AIM = 0.999;

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
  const input = inputTransform(used, normalized, calibration, options.ranges);
  const place = new Map(used.map((feature, i) => [feature, i]));
  const members = normalized.map((model, i) => {
    const positions = model.normal.features.map((feature) => place.get(feature)!);
    const transform = {
      center: Float64Array.from(positions, (at) => input.center[at]!),
      factor: Float64Array.from(positions, (at) => input.factor[at]!),
      range: {
        low: Float64Array.from(positions, (at) => (input.low[at]! - input.center[at]!) * input.factor[at]!),
        high: Float64Array.from(positions, (at) => (input.high[at]! - input.center[at]!) * input.factor[at]!),
      },
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
      aims: members.map(({ approximation }) =>
        aimBeside(approximation, memberAim(options.aim ?? DEFAULT_AIM, members.length, calibration.rows)),
      ),
      leastAim: options.leastAim ?? 0,
      margin: options.margin ?? 1.25,
      degrees: options.degrees ?? RING_DEGREES,
      records: options.records,
      random: options.random ?? Math.random,
    },
  );
  const { ring, encode } = choice;
  const emitted = members.map(({ positions, model }, i) => {
    const { weights, digits } = choice.members[i]!;
    const places = { position: positions, total: used.length };
    return emitProgram(model, choice.simulated[i]!.quantized, { encode, weights }, digits, ring, places);
  });
  const programs = await joinedPrograms(emitted.map(({ program }) => program));
  const compiled: CompiledMember[] = [];
  const planMembers: KeyholderPlan["members"] = [];
  for (const [i, { model, approximation }] of members.entries()) {
    const { digits } = choice.members[i]!;
    const { sameAnswers, rmsError } = choice.simulated[i]!;
    const { scaleOut } = emitted[i]!;
    const { program, programBytes, digest, firstOutput } = programs.of(i);
    const { tail, fitted } = model.normalized;
    compiled.push({
      program,
      programBytes,
      digest,
      firstOutput,
      report: {
        squares: model.squares,
        fittedActivations: fitted,
        weightDigits: digits,
        approximation,
        quantization: { sameAnswers, rmsError },
        programBytes: encodeProgram(emitted[i]!.program).length,
        donorMicrosecondsPerLane: donorMicrosecondsPerLane(emitted[i]!.program),
      },
    });
    planMembers.push({
      digest,
      firstOutput,
      outputs: model.outputs,
      polysOut: program.polysOut,
      scaleOut,
      factor: new Array<number>(model.outputs).fill(1),
      center: [...model.outputCenter],
      expectedMax: model.outputMax,
      capacity: 2 ** (modulusBits(ring.primes) - 1) / scaleOut,
      // Half the error's size: coarser would add to it.
      precisionBits: 1 + Math.round(-Math.log2(Math.max(rmsError, 2 ** -60))),
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
  return {
    plan,
    members: compiled,
    programs: programs.all,
    cost: costReport(
      plan,
      programs.all.map(({ program }) => program),
      normalized,
    ),
  };
}

async function joinedPrograms(programs: readonly LaneProgram[]) {
  const all: CompiledProgram[] = [];
  const places = new Map<number, { readonly at: number; readonly firstOutput: number }>();
  for (const { program, members } of joinPrograms(programs)) {
    const programBytes = encodeProgram(program);
    for (const { index, firstOutput } of members) places.set(index, { at: all.length, firstOutput });
    all.push({
      program,
      programBytes,
      digest: await programDigest(programBytes),
      members: members.map((m) => m.index),
    });
  }
  return {
    all,
    of(member: number) {
      const { at, firstOutput } = places.get(member)!;
      return { ...all[at]!, firstOutput };
    },
  };
}

/** Members of an ensemble outvote each other's slips: each may change twice as many answers, which spares all of them bytes. */
function memberAim(aim: number, members: number, records: number): number {
  // Of a few records a single one is a large share.
  const few = Math.min(1, Math.max(0.05, records / 500));
  return 1 - (1 - aim) * few * (members > 1 ? 2 : 1);
}

/** Where fitted activations change answers anyway, quantisation may change an eighth as many: bits would buy nothing there. */
function aimBeside(approximation: Fidelity, aim: number): number {
  return Math.min(aim, 1 - (1 - approximation.sameAnswers) / 8);
}
