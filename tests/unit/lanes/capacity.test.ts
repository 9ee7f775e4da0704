/** Outputs have room in the modulus: what leaves it comes back as another number, and canaries call the batch noise. */
import { beforeAll, describe, expect, it } from "vitest";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { importLayersModel } from "#lib/model/tensorflow/layers-model.ts";
import { readTfjsModel } from "#lib/model/tensorflow/model-json.ts";
import { fillWeights, savedFiles, startTfjs, tfl } from "../model/tensorflow/tfjs.ts";
import { seeded } from "./arbitrary.ts";
import { activated, EXACT_MODELS, randomRecords } from "./models.ts";

const { layers } = tfl;
type Layer = ReturnType<typeof layers.dense>;

/** Of room beyond what calibration showed (compile.ts). */
const MARGIN = 1.25;

beforeAll(startTfjs);

describe("capacity of a plan", () => {
  it.each([
    ...EXACT_MODELS,
    ...(["relu", "sigmoid", "tanh"] as const).map((op) => ({ name: op, make: () => activated(op) })),
  ])("holds the outputs of $name", async ({ make }) => {
    const { graph, features } = make();
    for (const seed of [1, 2]) {
      const { plan } = await compilePlan([graph], randomRecords(600, features, 3), { random: seeded(seed) });
      for (const { capacity, expectedMax } of plan.members) expect(capacity).toBeGreaterThanOrEqual(expectedMax);
    }
  });

  // Two fitted activations leave few bits for weights: their integers are small, and rounding them up costs a bit or two.
  it.each([3, 5, 8, 13, 21])("holds the outputs of a regression network with %s units a layer", async (units) => {
    const network = tfl.sequential({
      layers: [
        layers.dense({ inputShape: [8], units, activation: "sigmoid" }),
        layers.dense({ units, activation: "sigmoid" }),
        layers.dense({ units: 1 }),
      ] as Layer[],
    });
    fillWeights(network);
    const graph = importLayersModel(readTfjsModel(await savedFiles(network)));
    for (const seed of [1, 2, 3]) {
      const { plan } = await compilePlan([graph], randomRecords(600, 8, 3), { random: seeded(seed) });
      for (const { capacity, expectedMax } of plan.members) {
        expect(capacity / expectedMax).toBeGreaterThan(MARGIN - 1e-3);
      }
    }
  });
});
