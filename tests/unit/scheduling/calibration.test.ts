import { expect, it } from "vitest";
import { BUNDLE_STEP, moveBundleShare, moveTails, OWN_STEP, USUAL_BUNDLE_SHARE } from "#lib/scheduling/calibration.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { seededRandom } from "#tests/simulation/random.ts";
import { makeDonor } from "./fixtures.ts";

it("tails of a wrong belief hold four outcomes of five within fifty, whatever the noise", () => {
  for (const sigma of [0.2, 0.3, 0.5]) {
    const random = seededRandom(1);
    const tails = { low: 1, high: 1 };
    let inside = 0;
    for (let i = 0; i < 500; i++) {
      // The model believes in a noise of 0.3.
      const promised = { p10: 1_000 * Math.exp(-0.38 * tails.low), p90: 1_000 * Math.exp(0.38 * tails.high) };
      const tookMs = 1_000 * Math.exp(sigma * random.normal());
      if (i >= 50 && tookMs >= promised.p10 && tookMs <= promised.p90) inside++;
      moveTails(tails, promised, tookMs, OWN_STEP);
    }
    expect(inside / 450).toBeGreaterThan(0.75);
    expect(inside / 450).toBeLessThan(0.85);
  }
});

it("bundles are filled less where they are late, and more again where they are not", () => {
  const random = seededRandom(2);
  let share = USUAL_BUNDLE_SHARE;
  let late = 0;
  for (let i = 0; i < 2_000; i++) {
    // A torn machine: one bundle in five takes up to four times as long as promised.
    const stretch = random.uniform() < 0.2 ? 1 + 3 * random.uniform() : 0.7;
    const isLate = share * stretch > 1;
    if (isLate && i >= 200) late++;
    share = moveBundleShare(share, isLate, BUNDLE_STEP.own);
  }
  expect(late / 1_800).toBeLessThan(0.05);
  expect(share).toBeLessThan(0.5);
  for (let i = 0; i < 300; i++) share = moveBundleShare(share, false, BUNDLE_STEP.own);
  expect(share).toBeGreaterThanOrEqual(USUAL_BUNDLE_SHARE);
});

it("a nearly empty bundle that was in time says nothing of full ones; a newcomer starts as its class is", () => {
  const model = createCostModel();
  const donor = makeDonor(1);
  for (let i = 0; i < 5; i++) model.observeBundle({ donor, promisedP90Ms: 2_500, tookMs: 5_000 });
  const learnt = model.bundleShare(donor);
  expect(learnt).toBeLessThan(USUAL_BUNDLE_SHARE / 2);
  for (let i = 0; i < 100; i++) model.observeBundle({ donor, promisedP90Ms: 100, tookMs: 50 });
  expect(model.bundleShare(donor)).toBe(learnt);
  expect(model.bundleShare(makeDonor(2))).toBeLessThan(USUAL_BUNDLE_SHARE);
  expect(model.bundleShare(makeDonor(3, { deviceClass: "another" }))).toBe(USUAL_BUNDLE_SHARE);
});
