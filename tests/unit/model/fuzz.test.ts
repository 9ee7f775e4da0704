/**
 * Model files with bytes changed at random (fixed seed), read as uploads are: each is accepted or refused with a code, none crashes its
 * thread or runs on. Structure is kept where a format allows it: archives are stored, so that what is inside is what changes.
 */
import { zipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { type Isolation, runIsolated } from "#lib/coordinator/isolated/run.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { seeded } from "../lanes/arbitrary.ts";
import { kerasArchive, legacyH5 } from "./tensorflow/keras-files.ts";
import { fillWeights, savedFiles, startTfjs, tfl } from "./tensorflow/tfjs.ts";

const TASK = new URL("../../../lib/coordinator/isolated/inspect-model.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 60_000,
  cpuMs: 1_200,
  heapMiB: 512,
  onLimit: { code: "model_too_large", detail: "out of time" },
};
const FILES = 12;

function network(): tfl.LayersModel {
  const { dense } = tfl.layers;
  const model = tfl.sequential({
    layers: [dense({ inputShape: [4], units: 3, activation: "relu" }), dense({ units: 2 })],
  });
  fillWeights(model);
  return model;
}

beforeAll(startTfjs);

describe("changed bytes", () => {
  test.each([
    { name: "Keras .h5", filename: "m.h5", make: () => legacyH5(network()) },
    { name: "Keras .h5, latest structures", filename: "m.h5", make: () => legacyH5(network(), "latest") },
    { name: "Keras .keras", filename: "m.keras", make: () => kerasArchive(network()) },
    {
      name: "TensorFlow.js layers model",
      filename: "m.zip",
      make: async () => zipSync(Object.fromEntries(await savedFiles(network())), { level: 0 }),
    },
  ])("$name", { timeout: 300_000 }, async ({ filename, make }) => {
    const random = seeded(20_261_125);
    const good = await make();
    await expect(inspect(good, filename)).resolves.toBe("accepted");
    const outcomes = new Set<string>();
    for (let file = 0; file < FILES; file++) {
      const bytes = good.slice();
      for (let change = 0; change <= 3 * random(); change++) {
        bytes[Math.floor(random() * bytes.length)] = [0, 1, 255, Math.floor(random() * 256)][Math.floor(random() * 4)]!;
      }
      outcomes.add(await inspect(bytes, filename));
    }
    for (const outcome of outcomes)
      expect(outcome).toMatch(/^(accepted|model_(unreadable|invalid|unsupported|too_large))$/);
  });
});

/** The refusal's code, or that there was none; anything else that is thrown fails the test. */
async function inspect(bytes: Uint8Array, filename: string): Promise<string> {
  try {
    await runIsolated(TASK, { bytes, filename }, LIMITS);
    return "accepted";
  } catch (error) {
    if (isFluxError(error)) return error.code;
    throw error;
  }
}
