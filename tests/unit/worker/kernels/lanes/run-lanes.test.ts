import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { laneBytes, packLanes, parseResult, payloadHeader } from "#lib/lanes/block.ts";
import type { LaneEvaluator } from "#lib/lanes/evaluator.ts";
import { expandMask, importMaskSeed } from "#lib/lanes/mask.ts";
import { evaluateLane } from "#lib/lanes/reference.ts";
import { limbPlanes, residuesOf } from "#tests/support/lanes.ts";
import { buildProgram, programShape, randomResidues, seeded } from "#tests/unit/lanes/arbitrary.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";

const seed = Uint8Array.from({ length: 16 }, (_, i) => 7 * i + 1);

describe("runLanes", () => {
  it("turns a payload's bytes into the result that the reference gives, across chunks", async () => {
    await fc.assert(
      fc.asyncProperty(programShape, fc.constantFrom(1, 5, 256, 300), async (shape, laneCount) => {
        const program = buildProgram(shape);
        const random = seeded(shape.seed);
        const primeIndex = shape.seed % program.ring.primes.length;
        const q = program.ring.primes[primeIndex]!;
        const run = { primeIndex, firstLane: 17, laneCount };
        const lanes = Array.from({ length: laneCount }, () => randomResidues(program.inputs, q, random));
        const header = payloadHeader(program.ring, program.inputs, run, seed);
        const payload = new Uint8Array(header.length + laneCount * laneBytes(q, program.inputs));
        payload.set(header);
        packLanes(limbPlanes(lanes, q), q, program.inputs, payload.subarray(header.length));

        const evaluator = await laneSimdRuntime.prepare(program);
        const progress: number[] = [];
        const between = (lanesDone: number) => void progress.push(lanesDone);
        const result = parseResult(await runLanes(program, evaluator, payload, between), program, run);

        const mask = await expandMask(await importMaskSeed(seed), q, program.inputs, run);
        const perLane = program.polysOut * program.outputs;
        for (const lane of [0, laneCount >> 1, laneCount - 1]) {
          const c1 = residuesOf(mask, q, program.inputs, lane);
          const expected = evaluateLane(program, primeIndex, lanes[lane]!, c1);
          expect(result.slice(lane * perLane, (lane + 1) * perLane)).toEqual(expected);
        }
        expect(progress.at(-1)).toBe(laneCount);
        expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b));
      }),
      { numRuns: 40 },
    );
  });

  it("takes few lanes at a time where a lane takes long, so that it can rest and be stopped", async () => {
    const program = buildProgram({
      seed: 2,
      bits: [28],
      widths: [3, 2, 2, 2],
      squares: 0,
      digits: 1,
      extreme: false,
      groups: 1,
      carried: false,
    });
    const q = program.ring.primes[0]!;
    const header = payloadHeader(program.ring, program.inputs, { primeIndex: 0, firstLane: 0, laneCount: 100 }, seed);
    const payload = new Uint8Array(header.length + 100 * laneBytes(q, program.inputs));
    payload.set(header);
    const fast = await laneSimdRuntime.prepare(program);
    const taken: number[] = [];
    const slow: LaneEvaluator = {
      maxLanes: fast.maxLanes,
      evaluate(chunk) {
        taken.push(chunk.laneCount);
        const until = performance.now() + 5 * chunk.laneCount;
        while (performance.now() < until);
        return fast.evaluate(chunk);
      },
      dispose: () => fast.dispose(),
    };
    await runLanes(program, slow, payload);
    // The second chunk was begun before the first was timed.
    expect(taken.slice(0, 2)).toEqual([8, 8]);
    expect(Math.max(...taken.slice(2))).toBeLessThanOrEqual(10);
  });

  it("stops when told to, and refuses a payload of another program", async () => {
    const program = buildProgram({
      seed: 1,
      bits: [31],
      widths: [4, 3, 2, 2],
      squares: 1,
      digits: 1,
      extreme: false,
      groups: 1,
      carried: false,
    });
    const q = program.ring.primes[0]!;
    const header = payloadHeader(program.ring, program.inputs, { primeIndex: 0, firstLane: 0, laneCount: 600 }, seed);
    const payload = new Uint8Array(header.length + 600 * laneBytes(q, program.inputs));
    payload.set(header);
    const evaluator = await laneSimdRuntime.prepare(program);
    const giveUp = () => Promise.reject(new Error("given up"));
    await expect(runLanes(program, evaluator, payload, giveUp)).rejects.toThrow("given up");
    await expect(runLanes(program, evaluator, payload.subarray(0, -1))).rejects.toMatchObject({
      code: "ciphertext_invalid",
    });
  });
});
