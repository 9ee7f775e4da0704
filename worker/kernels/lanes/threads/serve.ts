/** A lane thread's side of its calls. */
import type { LaneEvaluator } from "#lib/lanes/evaluator.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { serveCalls, type Wire } from "#worker/peer.ts";
import { laneSimdRuntime } from "../simd-evaluator.ts";
import type { LaneThreadCalls } from "./calls.ts";

export function serveLaneThread(wire: Wire): void {
  let evaluator: LaneEvaluator | undefined;
  serveCalls<LaneThreadCalls>(
    wire,
    {
      async prepare({ program }) {
        // The runtime has proved itself in the worker that starts this thread, on the same machine.
        evaluator = await laneSimdRuntime.prepare(decodeProgram(program));
        return { value: null };
      },
      async evaluate(chunk) {
        if (evaluator === undefined) throw new Error("A lane thread got a chunk before its program");
        const residues = await evaluator.evaluate(chunk);
        return { value: residues, transfer: [residues.buffer] };
      },
    },
    (error) => ({ code: "internal", detail: String(error) }),
  );
}
