/** Every lane runtime that runs in Node keeps the contract; browsers run the same code in tests/e2e. */
import { describe, expect, it } from "vitest";
import type { LaneRuntime } from "#worker/kernels/lanes/evaluator.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import { checkLaneRuntime } from "./lane-runtime.ts";

const runtimes: { runtime: LaneRuntime; programs: number }[] = [{ runtime: laneSimdRuntime, programs: 1000 }];

describe.each(runtimes)("lane runtime $runtime.name", ({ runtime, programs }) => {
  it(`gives the reference evaluator's bits on ${programs} random programs`, async () => {
    expect((await checkLaneRuntime(runtime, programs)).failures).toEqual([]);
  }, 180_000);
});

describe("the contract itself", () => {
  it("catches a runtime that is off by one in one value of one lane", async () => {
    const wrong: LaneRuntime = {
      name: "lane-simd",
      async prepare(program) {
        const right = await laneSimdRuntime.prepare(program);
        return {
          maxLanes: right.maxLanes,
          async evaluate(chunk) {
            const residues = await right.evaluate(chunk);
            residues[residues.length - 1]! ^= 1;
            return residues;
          },
          dispose: () => right.dispose(),
        };
      },
    };
    const report = await checkLaneRuntime(wrong, 20);
    expect(report.failures.length).toBe(20);
  });
});
