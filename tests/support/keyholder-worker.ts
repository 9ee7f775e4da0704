/** A Web Worker for browser tests: plans, encrypts, evaluates and decrypts small models as the submitter's browser does. */
import { type ProgramRunner, planEncrypted } from "#lib/keyholder/rehearse.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { openLaneRuntime } from "#worker/kernels/lanes/open-runtime.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { convolution1d, randomRecords, squareMlp } from "../unit/lanes/models.ts";

export interface KeyholderReport {
  readonly model: string;
  readonly sameAnswers: number;
  readonly verdict: string;
}

async function prepare(program: LaneProgram): Promise<ProgramRunner> {
  const runtime = await openLaneRuntime("lane-simd");
  const evaluator = await runtime.prepare(program);
  return { run: (payload) => runLanes(program, evaluator, payload), dispose: () => evaluator.dispose() };
}

async function rehearseAll(): Promise<KeyholderReport[]> {
  const reports: KeyholderReport[] = [];
  for (const make of [convolution1d, squareMlp]) {
    const { graph, features } = make();
    const records = randomRecords(600, features, 3);
    const plan = await planEncrypted([graph], records, { prepare, wasmUrl: "/wasm/seal_throws.wasm" });
    reports.push({
      model: graph.name,
      sameAnswers: plan.sameAnswers,
      verdict: plan.rehearsals[0]?.verdict.kind ?? "none",
    });
  }
  return reports;
}

rehearseAll().then(
  (reports) => postMessage({ reports }),
  (error: unknown) => postMessage({ error: String(error) }),
);
