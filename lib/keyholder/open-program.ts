/**
 * One program's lane results of a batch → every member's outputs, a verdict, and how faithful they are: what a key-holder does
 * with a batch, wherever it is.
 */
import { compareOutputs, type Fidelity, type Outputs } from "#lib/lanes/compile/fidelity.ts";
import type { KeyholderPlan } from "#lib/lanes/plan.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import type { Graph } from "#lib/model/graph.ts";
import type { ResultAssembler } from "./assemble.ts";
import { drawCanaries } from "./canaries.ts";
import type { RecordMatrix } from "./encode.ts";
import { type BatchVerdict, openBatch } from "./open-batch.ts";
import { feedsOf } from "./rehearse.ts";
import type { SealKey } from "./seal.ts";

export interface OpenedProgram {
  readonly verdict: BatchVerdict;
  /** By member, in the order of the model's outputs: FP32 `[rows, …shape]`. Empty where the batch is noise. */
  readonly outputs: ReadonlyMap<number, readonly Float32Array<ArrayBuffer>[]>;
  /** Of the least faithful member; null where the batch is noise. */
  readonly fidelity: Fidelity | null;
}

/** Records of every batch that the plain model computes as well, to say how faithful the results really are. */
const COMPARED_RECORDS = 32;

/** @param graphs of the members that the program computes, by their position in the plan */
export function openProgram(
  plan: KeyholderPlan,
  key: SealKey,
  assembler: ResultAssembler,
  rows: RecordMatrix,
  graphs: ReadonlyMap<number, Graph>,
): OpenedProgram {
  const outputs = new Map<number, Float32Array<ArrayBuffer>[]>();
  let outliers = 0;
  let fidelity: Fidelity | null = null;
  for (const [index, graph] of graphs) {
    const member = plan.members[index];
    if (!member) throw new Error(`the plan has no member ${index}`);
    const canaries = drawCanaries(plan, member, assembler.program, rows);
    const opened = openBatch(plan, member, key, assembler, rows.rows, canaries);
    if (opened.verdict.kind === "noise") return { verdict: opened.verdict, outputs: new Map(), fidelity: null };
    outliers += opened.verdict.outliers;
    outputs.set(
      index,
      graph.outputs.map(({ name }) => {
        const values = opened.outputs.get(name);
        if (!values) throw new Error(`the output ${name} of the model is not among the results`);
        return Float32Array.from(values.data);
      }),
    );
    const compared = compareWithPlain(graph, rows, opened.outputs);
    if (fidelity === null || compared.sameAnswers < fidelity.sameAnswers) fidelity = compared;
  }
  return { verdict: { kind: "sane", outliers }, outputs, fidelity };
}

/** The first records' decrypted outputs against the plain model's. */
function compareWithPlain(graph: Graph, rows: RecordMatrix, outputs: Outputs): Fidelity {
  const compared = Math.min(COMPARED_RECORDS, rows.rows);
  const sample = { rows: compared, features: rows.features, data: rows.data.slice(0, compared * rows.features) };
  const decrypted = new Map(
    [...outputs].map(([name, { data, shape }]) => [
      name,
      { shape, data: data.slice(0, (data.length / rows.rows) * compared) },
    ]),
  );
  return compareOutputs(graph, evaluate(graph, feedsOf(graph, sample)), decrypted, compared);
}
