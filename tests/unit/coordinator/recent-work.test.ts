import { expect, test } from "vitest";
import { byCountry } from "#lib/coordinator/donors-by-country.ts";
import { RecentlyVerified } from "#lib/coordinator/recent-work.ts";
import type { DonorId } from "#lib/protocol/ids.ts";
import { freshId } from "#lib/storage/ids.ts";

const online = byCountry(["DE", "DE", "DE", "FR", "FR", null]);

test("counts what was verified in the last five seconds, and names no country of fewer than three", () => {
  let nowMs = 1_000_000;
  const donors = { de: freshId("don"), fr: freshId("don"), unknown: freshId("don"), gone: freshId("don") };
  const countries = new Map<DonorId, string | null>([
    [donors.de, "DE"],
    [donors.fr, "FR"],
    [donors.unknown, null],
  ]);
  const session = (id: DonorId) => {
    const country = countries.get(id);
    return country === undefined ? undefined : { view: { country } };
  };
  let tell: (donor: DonorId) => void = () => {};
  const onVerified = (listener: typeof tell) => {
    tell = listener;
  };
  const recently = new RecentlyVerified({ onVerified, session }, () => nowMs);
  const verified = (name: keyof typeof donors) => tell(donors[name]);
  for (const name of ["de", "de", "fr", "unknown", "gone"] as const) verified(name);
  expect(recently.read(online)).toEqual({
    seconds: 5,
    microtasks: 5,
    countries: [{ country: "DE", microtasks: 2 }],
  });
  nowMs += 3_000;
  verified("de");
  expect(recently.read(online).countries).toEqual([{ country: "DE", microtasks: 3 }]);
  nowMs += 3_000;
  expect(recently.read(online), "the first ones are over").toMatchObject({ microtasks: 1 });
  nowMs += 60_000;
  expect(recently.read(online)).toMatchObject({ microtasks: 0, countries: [] });
});
