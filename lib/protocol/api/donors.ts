/** Donors as everyone may see them: counts, never a person. */
import { z } from "zod";

/** A country is named when at least this many donors are there: fewer could be recognised. */
export const SHOWN_PER_COUNTRY = 3;

export const CountryCount = z.object({
  /** ISO 3166-1 alpha-2. */
  country: z.string().regex(/^[A-Z]{2}$/),
  donors: z.int().min(SHOWN_PER_COUNTRY),
});
export type CountryCount = z.infer<typeof CountryCount>;

/** Donors by country, most first; those in countries with too few, or in none that is known, are only counted. */
export const DonorsByCountry = z.object({
  donors: z.int().nonnegative(),
  countries: z.array(CountryCount),
  elsewhere: z.int().nonnegative(),
});
export type DonorsByCountry = z.infer<typeof DonorsByCountry>;

/** Seconds that "recently" looks back. */
export const RECENT_SECONDS = 5;

/** Microtasks whose results were verified lately; by country only where `DonorsByCountry` names it. */
export const RecentWork = z.object({
  seconds: z.int().positive(),
  microtasks: z.int().nonnegative(),
  countries: z.array(z.object({ country: CountryCount.shape.country, microtasks: z.int().positive() })),
});
export type RecentWork = z.infer<typeof RecentWork>;

export const DonorsSummary = z
  .object({
    object: z.literal("donors_summary"),
    online: DonorsByCountry,
    recent: RecentWork,
    /** Since this server was set up. */
    ever: z.object({
      donors: z.int().nonnegative(),
      microtasks: z.int().nonnegative(),
      compute_seconds: z.number().nonnegative(),
    }),
  })
  .meta({ id: "DonorsSummary" });
export type DonorsSummary = z.infer<typeof DonorsSummary>;
