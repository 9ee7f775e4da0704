/**
 * Region rules: which countries a job may go to. `allow` is a promise to the submitter (never broken, a donor of unknown
 * country is refused); `prefer` is a wish.
 *
 * Codes: ISO 3166-1 alpha-2. Groups: EU and EEA by treaty membership (2026), EFTA, DACH, BENELUX, NORDICS, BALTICS,
 * FIVE_EYES, G7, and the United Nations M49 continents AFRICA, ASIA, EUROPE, NORTH_AMERICA, SOUTH_AMERICA, OCEANIA.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import type { RegionRule } from "./types.ts";

const list = (codes: string): readonly string[] => codes.split(" ");

const EU = list("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE");

/** United Nations M49 (statistical divisions), plus XK and TW, which M49 leaves out but address databases use. */
const CONTINENTS = {
  AFRICA: list(
    "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW",
  ),
  ASIA: list(
    "AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
  ),
  EUROPE: list(
    "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
  ),
  NORTH_AMERICA: list(
    "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI",
  ),
  SOUTH_AMERICA: list("AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE"),
  OCEANIA: list("AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS"),
} as const;

export const REGION_GROUPS: Readonly<Record<string, readonly string[]>> = {
  EU,
  EEA: [...EU, "IS", "LI", "NO"],
  EFTA: list("CH IS LI NO"),
  DACH: list("DE AT CH"),
  BENELUX: list("BE NL LU"),
  NORDICS: list("DK FI IS NO SE AX FO GL"),
  BALTICS: list("EE LV LT"),
  FIVE_EYES: list("AU CA GB NZ US"),
  G7: list("CA FR DE IT JP GB US"),
  ...CONTINENTS,
};

/** Every code that an address database may give, Antarctica included. */
export const COUNTRIES: ReadonlySet<string> = new Set([...Object.values(CONTINENTS).flat(), "AQ"]);

/** UK is what people write; GB is what ISO says. */
const ALIASES: Readonly<Record<string, string>> = { UK: "GB", EL: "GR" };

/**
 * Countries of a list of codes and groups.
 * @throws FluxError invalid_request for a code that is neither, naming it
 */
export function expandRegions(codes: readonly string[], param = "regions"): Set<string> {
  const countries = new Set<string>();
  for (const written of codes) {
    const upper = written
      .trim()
      .toUpperCase()
      .replaceAll(/[\s-]+/g, "_");
    const code = ALIASES[upper] ?? upper;
    const group = Object.hasOwn(REGION_GROUPS, code) ? REGION_GROUPS[code] : undefined;
    if (group) for (const country of group) countries.add(country);
    else if (COUNTRIES.has(code)) countries.add(code);
    else {
      throw new FluxError(
        "invalid_request",
        `"${written}" is neither a country code (ISO 3166-1 alpha-2, such as DE) nor one of ${Object.keys(REGION_GROUPS).join(", ")}`,
        { param },
      );
    }
  }
  return countries;
}

export interface CompiledRegions {
  /** Null: anywhere, donors of unknown country included. */
  readonly allowed: ReadonlySet<string> | null;
  readonly preferred: ReadonlySet<string>;
}

export function compileRegions(rule: RegionRule | null): CompiledRegions {
  return {
    allowed: rule && rule.allow.length > 0 ? expandRegions(rule.allow, "regions.allow") : null,
    preferred: rule ? expandRegions(rule.prefer, "regions.prefer") : new Set(),
  };
}

/** The promise: true only where every rule of `allow` is kept. */
export function regionAllows(allowed: ReadonlySet<string> | null, country: string | null): boolean {
  return allowed === null || (country !== null && allowed.has(country));
}
