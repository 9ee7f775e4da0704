/** The donor's kernel on whatever thread asks, without the donor: for rehearsals, and for lanes that no donor got right. */
import type { LaneProgram } from "#lib/lanes/program.ts";
import { runLanes } from "./run-lanes.ts";
import { laneSimdRuntime } from "./simd-evaluator.ts";

export async function prepareOnThisThread(program: LaneProgram) {
  const evaluator = await laneSimdRuntime.prepare(program);
  return {
    run: (payload: Uint8Array) => runLanes(program, evaluator, payload),
    dispose: () => evaluator.dispose(),
  };
}
