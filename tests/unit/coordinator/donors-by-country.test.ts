/** Counts by country name no country with fewer than three donors, and lose nobody. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { byCountry } from "#lib/coordinator/donors-by-country.ts";

it("names countries of three and more, most first, and counts the others", () => {
  const countries = ["NO", "NO", "NO", "DE", "DE", "DE", "DE", "FR", "FR", null];
  expect(byCountry(countries)).toEqual({
    donors: 10,
    countries: [
      { country: "DE", donors: 4 },
      { country: "NO", donors: 3 },
    ],
    elsewhere: 3,
  });
});

it("counts every donor once", () => {
  const one = fc.option(fc.constantFrom("NO", "DE", "FR", "JP"));
  fc.assert(
    fc.property(fc.array(one), (countries) => {
      const { donors, countries: shown, elsewhere } = byCountry(countries);
      expect(donors).toBe(countries.length);
      expect(shown.reduce((total, country) => total + country.donors, elsewhere)).toBe(donors);
      expect(shown.every((country) => country.donors >= 3)).toBe(true);
    }),
  );
});
