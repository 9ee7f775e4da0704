import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeProgram, encodeProgram, programDigest } from "#lib/lanes/program-codec.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { buildProgram, programShape, seeded } from "./arbitrary.ts";

describe("program codec", () => {
  it("gives back what was encoded, in one canonical form", () => {
    fc.assert(
      fc.property(programShape, (shape) => {
        const program = buildProgram(shape);
        const bytes = encodeProgram(program);
        const decoded = decodeProgram(bytes);
        expect(decoded).toEqual(program);
        expect(encodeProgram(decoded)).toEqual(bytes);
      }),
      { numRuns: 200 },
    );
  });

  it("names a program by its digest", async () => {
    const shape = {
      seed: 1,
      bits: [24],
      widths: [3, 2, 2, 1],
      squares: 1,
      digits: 1,
      extreme: false,
      groups: 1,
    } as const;
    const bytes = encodeProgram(buildProgram({ ...shape, carried: false }));
    const other = encodeProgram(buildProgram({ ...shape, carried: false, seed: 2 }));
    expect(await programDigest(bytes)).toMatch(/^[0-9a-f]{64}$/);
    expect(await programDigest(bytes)).toBe(await programDigest(bytes.slice()));
    expect(await programDigest(bytes)).not.toBe(await programDigest(other));
  });

  it("refuses mutated bytes with a FluxError or reads a program that re-encodes to them", () => {
    const random = seeded(7);
    fc.assert(
      fc.property(programShape, (shape) => {
        const bytes = encodeProgram(buildProgram(shape));
        for (let i = 0; i < 40; i++) {
          const hostile = bytes.slice(0, random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length);
          const at = Math.floor(random() * hostile.length);
          if (hostile.length > 0) hostile[at] = Math.floor(random() * 256);
          try {
            expect(encodeProgram(decodeProgram(hostile))).toEqual(hostile);
          } catch (error) {
            expect(isFluxError(error) ? "refused" : error).toBe("refused");
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
