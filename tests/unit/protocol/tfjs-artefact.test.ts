import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTfjsArtefact, type TfjsTopology, writeTfjsArtefact } from "#lib/protocol/tfjs-artefact.ts";

const topology: TfjsTopology = {
  modelTopology: { class_name: "Sequential" },
  weightSpecs: [{ name: "dense/kernel", shape: [2, 3], dtype: "float32" }],
  format: "layers-model",
};

describe("a TensorFlow.js model as one file", () => {
  it("is read to what was written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (weights) => {
        const read = readTfjsArtefact(writeTfjsArtefact(topology, weights));
        expect(read.topology).toEqual(topology);
        expect(new Uint8Array(read.weights)).toEqual(new Uint8Array(weights));
      }),
    );
  });

  it.each([
    { name: "nothing", file: new Uint8Array(0) },
    { name: "a length beyond the file", file: Uint8Array.of(255, 255, 255, 255, 123) },
    { name: "no JSON", file: Uint8Array.of(2, 0, 0, 0, 1, 2) },
    { name: "another JSON", file: Uint8Array.of(2, 0, 0, 0, 91, 93) },
  ])("is refused when it is $name", ({ file }) => {
    expect(() => readTfjsArtefact(file)).toThrow(expect.objectContaining({ code: "model_unreadable" }));
  });
});
