/**
 * Where the SIMD kernel's time goes. A part's time is the difference that leaving it out makes: products with no pairs leave the
 * gathers and reductions of a step, gathers of one pair leave the reductions.
 */
import type { LaneChunk } from "#lib/lanes/evaluator.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { prepareSimd, type SimdEvaluator } from "#worker/kernels/lanes/simd-evaluator.ts";
import { GATHER, RECORD } from "#worker/kernels/lanes/wasm/product.ts";
import { measureLeast } from "./measure.ts";

export interface TimeSplit {
  readonly loadingMs: number;
  readonly gatheringMs: number;
  readonly productMs: number;
  readonly reductionMs: number;
  readonly squaresMs: number;
}

const RUNS = 150;

/** Milliseconds of one chunk by part; a chunk of a millisecond or two fits between two interruptions. */
export async function measureTimeSplit(program: LaneProgram, chunk: LaneChunk): Promise<TimeSplit> {
  const evaluator = await prepareSimd(program);
  const time = async (steps: LaneProgram["steps"][number]["kind"][]): Promise<number> => {
    const { plan } = evaluator;
    const partial = Object.create(evaluator, {
      plan: { value: { ...plan, steps: plan.steps.map((step) => (steps.includes(step.kind) ? step : NOTHING)) } },
    }) as SimdEvaluator;
    return measureLeast(RUNS, () => partial.evaluate(chunk));
  };
  const squares = await time(["square"]);
  const withoutSquares = await time(["affine"]);
  const nothing = await time([]);
  patchPairs(evaluator, (operation, pairs) => (operation === GATHER ? pairs : 0));
  const withoutProducts = await time(["affine"]);
  patchPairs(evaluator, (operation) => (operation === GATHER ? 1 : 0));
  const reductions = await time(["affine"]);
  return {
    loadingMs: nothing,
    gatheringMs: withoutProducts - reductions,
    productMs: withoutSquares - withoutProducts,
    reductionMs: reductions - nothing,
    squaresMs: squares - nothing,
  };
}

const NOTHING = { kind: "affine", chunks: [], bias: [] } as const;

/** Rewrites the pair counts in the records of all affine steps. */
function patchPairs({ plan, words }: SimdEvaluator, pairsFor: (operation: number, pairs: number) => number): void {
  for (const step of plan.steps) {
    if (step.kind !== "affine") continue;
    for (const { from, end } of step.chunks) {
      for (let at = from; at < end; at += RECORD.bytes) {
        const pairs = (at + RECORD.pairs) / 4;
        words[pairs] = pairsFor(words[(at + RECORD.operation) / 4]!, words[pairs]!);
      }
    }
  }
}
