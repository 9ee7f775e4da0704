import { expect, it } from "vitest";
import { loadTfjs } from "#worker/runtimes/tfjs.ts";

it("is there for two stages that are prepared at once", async () => {
  const [one, other] = await Promise.all([loadTfjs("wasm"), loadTfjs("wasm")]);
  expect(one.getBackend()).toBe("wasm");
  expect(other).toBe(one);
});
