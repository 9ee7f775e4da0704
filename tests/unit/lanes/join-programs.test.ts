import { describe, expect, it } from "vitest";
import { checkProgram } from "#lib/lanes/check-program.ts";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { joinPrograms } from "#lib/lanes/join-programs.ts";
import { plainProgram } from "#lib/lanes/plain.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { decodeProgram, encodeProgram } from "#lib/lanes/program-codec.ts";
import { seeded } from "./arbitrary.ts";
import { logisticRegression, randomRecords, squareMlp } from "./models.ts";

async function programOf({ graph, features }: { graph: Parameters<typeof compilePlan>[0][number]; features: number }) {
  const { members } = await compilePlan([graph], randomRecords(300, features, 3), {
    random: seeded(1),
    degrees: [8192],
  });
  return members[0]!.program;
}

/** The same program with other weights, as another member of an ensemble has. */
function flipped(program: LaneProgram): LaneProgram {
  return {
    ...program,
    matrices: program.matrices.map((matrix) => ({ ...matrix, digits: matrix.digits.map((d) => d.map((w) => -w)) })),
  };
}

describe("joining lane programs", () => {
  it("computes every member's outputs side by side, from the same inputs", async () => {
    const a = await programOf(squareMlp());
    const b = flipped(a);
    const [joined, ...rest] = joinPrograms([a, b, a]);
    expect(rest).toEqual([]);
    checkProgram(joined!.program);
    expect(decodeProgram(encodeProgram(joined!.program))).toEqual(joined!.program);
    expect(joined!.members).toEqual([
      { index: 0, firstOutput: 0 },
      { index: 1, firstOutput: a.outputs },
      { index: 2, firstOutput: 2 * a.outputs },
    ]);
    const inputs = Float64Array.from({ length: a.inputs }, (_, i) => Math.sin(i));
    const all = plainProgram(joined!.program, 8, 1)(inputs);
    [a, b, a].forEach((program, member) => {
      const own = plainProgram(program, 8, 1)(inputs);
      expect(all.subarray(member * a.outputs, (member + 1) * a.outputs)).toEqual(own);
    });
  });

  it("leaves programs of another depth, and those that carry values over a square, alone", async () => {
    const deep = await programOf(squareMlp());
    const flat = await programOf(logisticRegression());
    const carrying = {
      ...deep,
      steps: deep.steps.map((step) => (step.kind === "square" ? { ...step, carried: 1 } : step)),
    };
    const joined = joinPrograms([deep, { ...flat, inputs: deep.inputs }, carrying, deep]);
    expect(joined.map(({ members }) => members.map(({ index }) => index))).toEqual([[0, 3], [1], [2]]);
    expect(joined[1]!.program.steps).toBe(flat.steps);
  });
});
