/** Counts of donors by country that tell nothing about one of them. */
import { type DonorsByCountry, SHOWN_PER_COUNTRY } from "#lib/protocol/api/donors.ts";

/** @param countries one entry a donor; null where it is unknown or not to be used */
export function byCountry(countries: Iterable<string | null>): DonorsByCountry {
  const counts = new Map<string, number>();
  let donors = 0;
  let elsewhere = 0;
  for (const country of countries) {
    donors++;
    if (country === null) elsewhere++;
    else counts.set(country, (counts.get(country) ?? 0) + 1);
  }
  const shown: DonorsByCountry["countries"] = [];
  for (const [country, count] of counts) {
    if (count >= SHOWN_PER_COUNTRY) shown.push({ country, donors: count });
    else elsewhere += count;
  }
  shown.sort((a, b) => b.donors - a.donors || a.country.localeCompare(b.country, "en"));
  return { donors, countries: shown, elsewhere };
}
