/** The map: every country that the shapes know has its letters, and its strokes lie where it is. */
import { expect, it } from "vitest";
import atlas from "world-atlas/countries-50m.json";
import { lettersOf } from "../../../../app/components/map/country-codes.ts";
import { laneMap } from "../../../../app/components/map/lane-map.ts";

const shapes = atlas.objects.countries.geometries;
const names = new Intl.DisplayNames("en", { type: "region" });

it("names every numbered shape, and names them right", () => {
  const numbered = shapes.flatMap((shape) => ("id" in shape && shape.id !== undefined ? [shape] : []));
  expect(numbered.length).toBeGreaterThan(230);
  for (const { id, properties } of numbered) {
    const letters = lettersOf(id ?? "");
    expect(letters, properties.name).toBeDefined();
    // Names are abbreviated here and there ("Dem. Rep. Congo"); where they are one word, they begin alike.
    const known = ["Macao", "Palestine", "Macedonia", "Turkey"];
    if (/^[A-Z][a-z]{4,}$/.test(properties.name) && !known.includes(properties.name)) {
      expect(names.of(letters ?? "")?.slice(0, 4), id).toBe(properties.name.slice(0, 4));
    }
  }
});

it("draws small countries too, each at its place, in little text", () => {
  const { countries, land, width, height } = laneMap();
  const middle = (letters: string) => {
    const strokes = [...(countries[letters] ?? "").matchAll(/M(-?[\d.]+) (-?[\d.]+)h([\d.]+)/g)];
    expect(strokes.length, letters).toBeGreaterThan(0);
    const xs = strokes.map(([, x, , length]) => Number(x) + Number(length) / 2);
    const ys = strokes.map(([, , y]) => Number(y));
    return [xs.reduce((a, b) => a + b) / xs.length / width, ys.reduce((a, b) => a + b) / ys.length / height] as const;
  };
  for (const small of ["SG", "LU", "MT", "MC"]) middle(small);
  expect(middle("NO")[1]).toBeLessThan(middle("IT")[1]);
  expect(middle("CL")[0]).toBeLessThan(middle("BR")[0]);
  expect(middle("JP")[0]).toBeGreaterThan(middle("CN")[0]);
  expect(middle("AU")[1]).toBeGreaterThan(0.6);
  expect(land.length + JSON.stringify(countries).length).toBeLessThan(120_000);
});
