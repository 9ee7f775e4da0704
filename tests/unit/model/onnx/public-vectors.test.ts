/** Runs the ONNX project's operator test vectors where Debian's libonnx-testdata is installed; see public-vectors.ts. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ONNX_OPERATORS } from "#lib/model/onnx/import.ts";
import { listVectors, operatorsOf, readVector, runVector } from "./public-vectors.ts";

const ROOT = "/usr/share/libonnx-testdata/data";
const present = existsSync(ROOT);
if (!present) console.log(`Skipped: the ONNX test vectors are not at ${ROOT} (apt-get install libonnx-testdata)`);

/** These vectors hold bfloat16 as the bits of uint16, so their files contradict their models. */
const CONTRADICTORY = /BFLOAT16/;

describe.skipIf(!present)("public ONNX operator vectors", () => {
  test("whatever import accepts computes what the vector says; the rest is refused with a reason", () => {
    const claimed = new Set(ONNX_OPERATORS);
    const equal: string[] = [];
    const different: string[] = [];
    for (const path of listVectors(ROOT)) {
      const vector = readVector(path);
      const outcome = runVector(vector);
      if (outcome.kind === "equal") equal.push(vector.name);
      if (outcome.kind === "different" && !CONTRADICTORY.test(vector.name)) different.push(vector.name);
      if (outcome.kind === "refused" && operatorsOf(vector).every((operator) => claimed.has(operator))) {
        expect(outcome.reason).toMatch(
          /axis 0|batch|opset|training mode|depends on the data|attribute|Nothing makes|one row per record|list of sizes/i,
        );
      }
    }
    expect(different).toEqual([]);
    // 416 with libonnx-testdata 1.12.
    expect(equal.length).toBeGreaterThan(400);
  });
});
