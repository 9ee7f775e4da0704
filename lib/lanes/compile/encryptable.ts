/**
 * Whether a model can be encrypted at all, by a look at its operators: cheap enough for every upload, and without data. What depends on
 * the data (fidelity, depth, ranges) is for the plan to say.
 */
import { describeNode, type Graph, type GraphNode, inputsOf, type ValueId } from "#lib/model/graph.ts";
import { type FluxError, isFluxError } from "#lib/protocol/errors.ts";

export interface EncryptedSupport {
  readonly supported: boolean;
  /** One for every kind of operator that is in the way, with what to do about it. */
  readonly reasons: string[];
}

interface Refusal {
  readonly why: string;
  readonly remedy: string;
}

const COMPARES: Refusal = {
  why: "it compares or normalises values of one record",
  remedy:
    "Move it behind the last weighted layer, where the key-holder computes it, or submit the job with privacy: public.",
};

/** Operators that no ciphertext can run, wherever they read the record and weighted layers follow. */
export const NEVER_ENCRYPTED: Readonly<Partial<Record<GraphNode["op"], Refusal>>> = {
  maxPool: {
    why: "a maximum needs comparisons",
    remedy:
      "Replace it by AveragePool (or a strided convolution) and fine-tune the model, or submit the job with privacy: public.",
  },
  softmax: COMPARES,
  logSoftmax: COMPARES,
  argMax: COMPARES,
  reduceMax: COMPARES,
  reduceMin: COMPARES,
  reduceProd: COMPARES,
};

/** Work that repays encryption; what comes after the last of these is the tail. */
export const HEAVY: ReadonlySet<GraphNode["op"]> = new Set([
  "conv",
  "matMul",
  "gemm",
  "averagePool",
  "reduceMean",
  "reduceSum",
]);

/** What an upload is answered with. `graph` is the refusal itself where import did not know an operator. */
export function encryptedSupport(graph: Graph | FluxError): EncryptedSupport {
  if (isFluxError(graph)) return { supported: false, reasons: [graph.detail] };
  const followed = valuesWithHeavyWorkAfter(graph);
  const ofRecord = new Set<ValueId>(graph.inputs.map(({ id }) => id));
  const reasons = new Map<string, string>();
  for (const node of graph.nodes) {
    const read = inputsOf(node).filter((id) => ofRecord.has(id));
    if (read.length === 0) continue;
    ofRecord.add(node.output);
    if (!followed.has(node.output) && !HEAVY.has(node.op)) continue;
    const refusal = NEVER_ENCRYPTED[node.op];
    if (refusal && !reasons.has(node.op)) {
      reasons.set(node.op, `${describeNode(node)} cannot run on encrypted data: ${refusal.why}. ${refusal.remedy}`);
    }
    if ((node.op === "matMul" || node.op === "div") && read.length > 1 && !reasons.has(node.op)) {
      reasons.set(
        node.op,
        `${describeNode(node)} cannot run on encrypted data: both of its sides depend on the record (as in attention). Use privacy: public.`,
      );
    }
  }
  return { supported: reasons.size === 0, reasons: [...reasons.values()] };
}

/** Values that a weighted or pooling layer still reads, directly or not. */
export function valuesWithHeavyWorkAfter(graph: Graph): Set<ValueId> {
  const before = new Set<ValueId>();
  for (const node of [...graph.nodes].reverse()) {
    if (HEAVY.has(node.op) || before.has(node.output)) for (const id of inputsOf(node)) before.add(id);
  }
  return before;
}
