/** Every lane runtime that runs in Node keeps the contract; Chromium runs the same code in tests/e2e/lane-runtimes.spec.ts. */
import { describe, expect, it } from "vitest";
import type { LaneRuntime } from "#lib/lanes/evaluator.ts";
import { openLaneRuntime } from "#worker/kernels/lanes/open-runtime.ts";
import { findLaneFault } from "#worker/kernels/lanes/self-test.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import { checkLaneRuntime } from "./lane-runtime.ts";

const PROGRAMS = 1000;

describe.each(["lane-simd", "ort-wasm", "tfjs-wasm"] as const)("lane runtime %s", (name) => {
  it(`passes its self-test and gives the reference's bits on ${PROGRAMS} random programs`, async () => {
    const report = await checkLaneRuntime(await openLaneRuntime(name), PROGRAMS);
    expect(report.failures).toEqual([]);
    expect(report.programs).toBe(PROGRAMS);
  }, 300_000);
});

describe("a runtime that is wrong", () => {
  /** Right but for one bit of the last residue. */
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

  it("fails the contract on every program", async () => {
    expect((await checkLaneRuntime(wrong, 20)).failures.length).toBe(20);
  });

  it("fails the self-test, which names the value", async () => {
    expect(await findLaneFault(wrong)).toMatch(/^value \d+ modulo \d+ is \d+, not \d+$/);
    expect(await findLaneFault(laneSimdRuntime)).toBeUndefined();
  });
});
