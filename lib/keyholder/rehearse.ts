/**
 * A rehearsal: calibration records through the whole way in one process, with a real key: encrypt, evaluate every lane, decrypt, tail. What
 * comes out beside the plain model's answers is the plan's fidelity, measured and not estimated.
 */
import { blobBytes, blobRange, maxLanesPerPayload, PAYLOAD_HEADER_BYTES, payloadHeader } from "#lib/lanes/block.ts";
import {
  type CalibrationRecords,
  type Compiled,
  type CompileOptions,
  compilePlan,
  DEFAULT_AIM,
} from "#lib/lanes/compile/compile.ts";
import { compareOutputs, type Fidelity } from "#lib/lanes/compile/fidelity.ts";
import { encryptedFeatures, type KeyholderPlan } from "#lib/lanes/plan.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { type Graph, recordElements } from "#lib/model/graph.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { ResultAssembler } from "./assemble.ts";
import { drawCanaries } from "./canaries.ts";
import type { RecordMatrix } from "./encode.ts";
import { drawMaskSeed, encryptBatch, type MakePhases } from "./encrypt-batch.ts";
import { type BatchVerdict, openBatch } from "./open-batch.ts";
import { SealKey } from "./seal.ts";

/** A program made ready to run: a donor's evaluator without the donor. */
export interface ProgramRunner {
  /** A payload's bytes in, the result's bytes out. */
  run(payload: Uint8Array): Promise<Uint8Array>;
  dispose(): Promise<void> | void;
}

export type PrepareProgram = (program: LaneProgram) => Promise<ProgramRunner>;

export interface RehearsalTiming {
  readonly encryptMs: number;
  readonly evaluateMs: number;
  readonly decryptMs: number;
}

export interface Rehearsal {
  readonly fidelity: Fidelity;
  readonly verdict: BatchVerdict;
  readonly timing: RehearsalTiming;
}

export interface EncryptedPlan extends Compiled {
  /** Per member, measured through real encryption. */
  readonly rehearsals: readonly Rehearsal[];
  /** The least of the members' shares of same answers. */
  readonly sameAnswers: number;
}

export interface PlanOptions extends CompileOptions {
  readonly prepare: PrepareProgram;
  /** Least share of same answers that the submitter wants: the compiler aims at least so high. Default 0.99. */
  readonly minFidelity?: number;
  readonly wasmUrl?: string;
  /** How the rehearsal's batch is encrypted. Default: in this thread. */
  readonly makePhases?: MakePhases;
}

export const DEFAULT_MIN_FIDELITY = 0.99;
/** Nobody can aim at every answer: some records lie on the edge between two. */
const MAX_AIM = 0.9995;
/** Records of a rehearsal; one batch is encrypted whatever their number. */
const REHEARSAL_RECORDS = 2048;

/** A plan that its submitter may be held to. Throws what `compilePlan` throws. */
export async function planEncrypted(
  graphs: readonly Graph[],
  calibration: CalibrationRecords,
  options: PlanOptions,
): Promise<EncryptedPlan> {
  const wanted = options.minFidelity ?? DEFAULT_MIN_FIDELITY;
  const aim = options.aim ?? Math.min(MAX_AIM, Math.max(DEFAULT_AIM, wanted));
  const compiled = await compilePlan(graphs, calibration, { leastAim: wanted, ...options, aim });
  const rehearsals = await rehearse(graphs, compiled, calibration, options);
  const sameAnswers = Math.min(...rehearsals.map(({ fidelity }) => fidelity.sameAnswers));
  return { ...compiled, rehearsals, sameAnswers };
}

/** Throws FluxError("plan_fidelity") if a plan is less faithful than wanted. */
export function requireFidelity(plan: EncryptedPlan, minFidelity = DEFAULT_MIN_FIDELITY): void {
  const noisy = plan.rehearsals.some(({ verdict }) => verdict.kind === "noise");
  if (!noisy && plan.sameAnswers >= minFidelity) return;
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const fitted = plan.members.flatMap(({ report }) =>
    report.fittedActivations.map(({ node, source }) => `${source} "${node}"`),
  );
  const why =
    fitted.length > 0
      ? ` Quadratics stand in for ${fitted.join(", ")}: train the model with x² there, or fine-tune it.`
      : "";
  throw new FluxError(
    "plan_fidelity",
    `Encrypted, this model gives the same answer on ${percent(plan.sameAnswers)} of the calibration records, wanted are ${percent(minFidelity)}.${why} Or accept this fidelity with accept_fidelity, or lower min_fidelity.`,
  );
}

/** Runs calibration records through real encryption, one rehearsal per member. */
export async function rehearse(
  graphs: readonly Graph[],
  compiled: Compiled,
  calibration: CalibrationRecords,
  { prepare, wasmUrl, makePhases }: Pick<PlanOptions, "prepare" | "wasmUrl" | "makePhases">,
): Promise<Rehearsal[]> {
  const { plan } = compiled;
  const records = spreadRecords(calibration, Math.min(REHEARSAL_RECORDS, plan.ring.n / 2));
  using key = await SealKey.create(ringOf(plan), wasmUrl === undefined ? {} : { wasmUrl });
  const features = encryptedFeatures(plan);
  const blob = new Uint8Array(blobBytes(plan.ring, features));
  const batch = await encryptBatch(
    { ...plan, input: { ...plan.input, outside: "clip" } },
    key,
    records,
    (run, packed) => {
      blob.set(packed, blobRange(plan.ring, features, run).offset);
    },
    drawMaskSeed(),
    makePhases,
  );
  const encryptMs = batch.timing.sealMs + batch.timing.layoutMs;
  const rehearsals: Rehearsal[] = [];
  for (const { program, members } of compiled.programs) {
    let started = performance.now();
    const assembler = new ResultAssembler(program);
    const runner = await prepare(program);
    try {
      for (const run of wholeRuns(plan)) {
        const { offset, length } = blobRange(plan.ring, features, run);
        const payload = new Uint8Array(PAYLOAD_HEADER_BYTES + length);
        payload.set(payloadHeader(plan.ring, features, run, batch.seed));
        payload.set(blob.subarray(offset, offset + length), PAYLOAD_HEADER_BYTES);
        assembler.add(run, await runner.run(payload));
      }
    } finally {
      await runner.dispose();
    }
    const evaluateMs = (performance.now() - started) / members.length;
    for (const i of members) {
      const member = plan.members[i]!;
      const canaries = drawCanaries({ ...plan, input: { ...plan.input, outside: "clip" } }, member, program, records);
      started = performance.now();
      const opened = openBatch(plan, member, key, assembler, records.rows, canaries);
      const decryptMs = performance.now() - started;
      const plain = evaluate(graphs[i]!, feedsOf(graphs[i]!, records));
      rehearsals[i] = {
        fidelity: compareOutputs(graphs[i]!, plain, opened.outputs, records.rows),
        verdict: opened.verdict,
        timing: { encryptMs, evaluateMs, decryptMs },
      };
    }
  }
  return rehearsals;
}

/** The ring that a plan's keys live in. */
export function ringOf(plan: KeyholderPlan): {
  n: number;
  primes: readonly number[];
  specialPrime: number | undefined;
} {
  return { n: plan.ring.n, primes: plan.ring.primes, specialPrime: plan.ring.specialPrime };
}

/** The batch's lanes in runs as large as payloads may be. */
export function wholeRuns(plan: KeyholderPlan): LaneRun[] {
  const features = encryptedFeatures(plan);
  return plan.ring.primes.flatMap((q, primeIndex) => {
    const most = maxLanesPerPayload(q, features);
    const parts = Math.ceil(plan.ring.n / most);
    return Array.from({ length: parts }, (_, i): LaneRun => {
      const firstLane = Math.floor((i * plan.ring.n) / parts);
      return { primeIndex, firstLane, laneCount: Math.floor(((i + 1) * plan.ring.n) / parts) - firstLane };
    });
  });
}

/** Model inputs by name from flattened records. */
export function feedsOf(graph: Graph, records: RecordMatrix): { records: number; inputs: Map<string, Float64Array> } {
  let first = 0;
  const inputs = new Map<string, Float64Array>();
  for (const port of graph.inputs) {
    const width = recordElements(port.shape);
    const values = new Float64Array(records.rows * width);
    for (let row = 0; row < records.rows; row++) {
      for (let i = 0; i < width; i++) values[row * width + i] = records.data[row * records.features + first + i]!;
    }
    inputs.set(port.name, values);
    first += width;
  }
  return { records: records.rows, inputs };
}

function spreadRecords(records: CalibrationRecords, most: number): RecordMatrix {
  const rows = Math.min(records.rows, most);
  const data = new Float64Array(rows * records.features);
  for (let row = 0; row < rows; row++) {
    const from = Math.floor((row * records.rows) / rows) * records.features;
    data.set(records.data.subarray(from, from + records.features), row * records.features);
  }
  return { rows, features: records.features, data };
}
