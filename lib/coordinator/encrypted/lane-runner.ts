/** The donor's kernel on the coordinator's own threads: for rehearsals, and for lanes that no donor got right. */

import type { PrepareProgram } from "#lib/keyholder/rehearse.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";

export const prepareOnThisThread: PrepareProgram = async (program) => {
  const evaluator = await laneSimdRuntime.prepare(program);
  return {
    run: (payload) => runLanes(program, evaluator, payload),
    dispose: () => evaluator.dispose(),
  };
};
