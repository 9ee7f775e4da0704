import { expect, it } from "vitest";
import { weekOf } from "#lib/storage/weeks.ts";

/** ISO 8601's own border cases: a week belongs to the year of its Thursday. */
const cases = [
  { day: "2026-11-25", week: "2026-W48" },
  { day: "2024-12-30", week: "2025-W01" },
  { day: "2027-01-03", week: "2026-W53" },
  { day: "2027-01-04", week: "2027-W01" },
  { day: "1970-01-01", week: "1970-W01" },
];
it.each(cases)("$day is in $week", ({ day, week }) => {
  expect(weekOf(Date.parse(`${day}T00:00:00Z`))).toBe(week);
  expect(weekOf(Date.parse(`${day}T23:59:59.999Z`))).toBe(week);
});
