import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { runTail } from "#lib/lanes/compile/fidelity.ts";
import { choosePrimes, maxModulusBits, modulusBits, wireBits } from "#lib/lanes/compile/rings.ts";
import { tileLayer } from "#lib/lanes/compile/tiles.ts";
import { SECURITY_BITS_128 } from "#lib/lanes/limits.ts";
import { mulModFast, subMod } from "#lib/lanes/modular.ts";
import { plainProgram } from "#lib/lanes/plain.ts";
import { decodeTail, parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { seeded } from "./arbitrary.ts";
import { EXACT_MODELS, logisticRegression, randomRecords, residualBlock, squareMlp } from "./models.ts";

describe("compiler", () => {
  for (const { name, make } of EXACT_MODELS) {
    it(`makes an integer program that answers like the model: ${name}`, async () => {
      const { graph, features } = make();
      const { plan, members } = await compilePlan([graph], randomRecords(600, features, 3), { random: seeded(1) });
      const member = plan.members[0]!;
      const program = decodeProgram(members[0]!.programBytes);
      expect(program).toEqual(members[0]!.program);
      const evaluatePlain = plainProgram(program, plan.input.scale, member.scaleOut);
      const records = randomRecords(50, features, 77);
      const values = new Float64Array(50 * member.outputs);
      for (let row = 0; row < 50; row++) {
        const encoded = Float64Array.from(plan.input.index, (column, i) => {
          const value = records.data[row * features + column]!;
          return (value - plan.input.center[i]!) * plan.input.factor[i]!;
        });
        evaluatePlain(encoded).forEach((slot, output) => {
          values[row * member.outputs + output] = slot * member.factor[output]! + member.center[output]!;
        });
      }
      const found = runTail(decodeTail(member), values, 50);
      const expected = evaluate(graph, { records: 50, inputs: new Map([[graph.inputs[0]!.name, records.data]]) });
      const rms = members[0]!.report.quantization.rmsError;
      for (const [output, { data }] of expected) {
        if (output === "class") continue;
        data.forEach((value, i) => {
          expect(Math.abs(found.get(output)!.data[i]! - value)).toBeLessThan(12 * rms + 1e-6);
        });
      }
      // The plan survives its JSON form.
      expect(parseKeyholderPlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    });
  }

  it("keeps payloads within 9 bytes per input value without a square, and within 18 with one", async () => {
    for (const [make, most] of [
      [logisticRegression, 9],
      [residualBlock, 18],
    ] as const) {
      const { graph, features } = make();
      const { cost } = await compilePlan([graph], randomRecords(600, features, 3), { random: seeded(1) });
      // Lane padding to whole bytes and headers weigh on few features; the bound is for the residues.
      const residueBytes = cost.primeBits.reduce((sum, bits) => sum + bits, 0) / 4;
      expect(residueBytes, graph.name).toBeLessThanOrEqual(most);
      expect(cost.securityBits.usedBits).toBeLessThanOrEqual(cost.securityBits.allowedBits);
    }
  });

  it("gives an ensemble one encoding and a program each", async () => {
    const a = squareMlp();
    const { plan, members } = await compilePlan([a.graph, a.graph], randomRecords(300, a.features, 3), {
      random: seeded(1),
    });
    expect(members).toHaveLength(2);
    expect(members[1]!.program.ring).toEqual(members[0]!.program.ring);
    expect(members[1]!.program.inputs).toBe(members[0]!.program.inputs);
    expect(plan.members.map(({ digest }) => digest)).toEqual(members.map(({ digest }) => digest));
  });

  it("refuses records that do not fit, NaN among them", async () => {
    const { graph } = logisticRegression();
    await expect(compilePlan([graph], randomRecords(4, 5, 1))).rejects.toMatchObject({ code: "dataset_mismatch" });
    const holed = randomRecords(4, 12, 1);
    holed.data[13] = Number.NaN;
    await expect(compilePlan([graph], holed)).rejects.toMatchObject({ code: "plan_range" });
    const empty = { rows: 0, features: 12, data: new Float64Array(0) };
    await expect(compilePlan([graph], empty)).rejects.toMatchObject({ code: "dataset_empty" });
    const ranges = { low: new Array<number>(12).fill(Number.NaN), high: new Array<number>(12).fill(1) };
    await expect(compilePlan([graph], randomRecords(8, 12, 1), { ranges })).rejects.toMatchObject({
      code: "plan_range",
    });
  });
});

describe("rings", () => {
  it("stay within 128-bit security and hold the wanted bits", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(2048, 4096, 8192, 16384),
        fc.double({ min: 18, max: 400, noNaN: true }),
        (n, bits) => {
          const ring = choosePrimes(n, bits);
          if (ring === undefined) {
            expect(bits).toBeGreaterThan(maxModulusBits(n) - 10);
            return;
          }
          const all = ring.specialPrime === undefined ? ring.primes : [...ring.primes, ring.specialPrime];
          expect(wireBits(all)).toBeLessThanOrEqual(SECURITY_BITS_128[n]!);
          expect(modulusBits(ring.primes)).toBeGreaterThanOrEqual(bits);
          expect(new Set(all).size).toBe(all.length);
        },
      ),
    );
  });
});

describe("tiles", () => {
  it("compute what their blocks compute, at every size and with borders", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        (k, m, count, stride, seed) => {
          const random = seeded(seed);
          const digit = Int8Array.from({ length: k * m }, () => Math.floor(random() * 255) - 127);
          const width = stride * (count - 1) + k;
          const blocks = Array.from({ length: count }, (_, i) => ({
            matrix: 0,
            // Sliding windows; the first and the last lose an input to the border now and then.
            inputs: Int32Array.from({ length: k }, (_, j) =>
              (i === 0 && j === 0) || random() < 0.02 ? -1 : i * stride + j,
            ),
            outputs: Int32Array.from({ length: m }, (_, c) => c * count + i),
          }));
          const x = Float64Array.from({ length: width }, () => Math.floor(random() * 100));
          const expected = new Float64Array(count * m);
          for (const block of blocks) {
            block.outputs.forEach((output, c) => {
              block.inputs.forEach((input, row) => {
                if (input >= 0) expected[output]! += x[input]! * digit[row * m + c]!;
              });
            });
          }
          const tiled = tileLayer([{ k, m, digitBits: 0, digits: [digit] }], blocks);
          const found = new Float64Array(count * m).fill(Number.NaN);
          for (const group of tiled.groups) {
            const matrix = tiled.matrices[group.matrix]!;
            group.outputIndex.forEach((output, c) => {
              if (output < 0) return;
              expect(found[output]).toBeNaN();
              found[output] = 0;
              group.inputIndex.forEach((input, row) => {
                if (input >= 0) found[output]! += x[input]! * matrix.digits[0]![row * matrix.m + c]!;
              });
            });
          }
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("modular arithmetic", () => {
  it("is exact for every size of prime, extremes included", () => {
    const random = seeded(3);
    for (let bits = 18; bits <= 31; bits++) {
      for (const q of nttPrimes(1024, bits, 3)) {
        const inverse = 1 / q;
        const values = [
          0,
          1,
          2,
          q - 1,
          q - 2,
          q >> 1,
          (q >> 1) + 1,
          ...Array.from({ length: 60 }, () => Math.floor(random() * q)),
        ];
        for (const a of values) {
          for (const b of values) {
            expect(mulModFast(a, b, q, inverse)).toBe(Number((BigInt(a) * BigInt(b)) % BigInt(q)));
            expect(subMod(a, b, q)).toBe((((a - b) % q) + q) % q);
          }
        }
      }
    }
  });
});
