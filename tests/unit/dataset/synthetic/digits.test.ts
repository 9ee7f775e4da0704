import { describe, expect, test } from "vitest";
import { syntheticDigits } from "#lib/dataset/synthetic/digits.ts";
import { seededRandom } from "#lib/dataset/synthetic/random.ts";

describe("syntheticDigits", () => {
  test("the same seed gives the same images, another seed others", () => {
    const first = syntheticDigits(20, 7);
    expect(syntheticDigits(20, 7)).toEqual(first);
    expect(syntheticDigits(20, 8).images).not.toEqual(first.images);
  });

  test("a longer series starts with the shorter one", () => {
    expect(syntheticDigits(30, 7).images.subarray(0, 10 * 784)).toEqual(syntheticDigits(10, 7).images);
  });

  test("every digit appears about equally often, as dark paper with some ink in the middle", () => {
    const { images, labels } = syntheticDigits(1000, 3);
    const counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label]!++;
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(150);
    for (let index = 0; index < 1000; index++) {
      const image = images.subarray(index * 784, (index + 1) * 784);
      const inked = image.filter((value) => value > 100).length;
      expect(inked).toBeGreaterThan(25);
      expect(inked).toBeLessThan(300);
      // The outermost rows stay paper: nothing is cut off.
      expect(image.subarray(0, 28).filter((value) => value > 100).length).toBeLessThan(8);
    }
  });
});

describe("seededRandom", () => {
  test("moments of the distributions", () => {
    const random = seededRandom(1);
    const normals = Array.from({ length: 20_000 }, () => random.normal());
    const mean = normals.reduce((sum, value) => sum + value, 0) / normals.length;
    const variance = normals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / normals.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    const below = Array.from({ length: 5000 }, () => random.below(5));
    expect(new Set(below)).toEqual(new Set([0, 1, 2, 3, 4]));
  });
});
