/** The ISO 8601 week of a moment in UTC, e.g. "2026-W48": weeks begin on Monday; the first one of a year holds its first Thursday. */
const DAY_MS = 86_400_000;

export function weekOf(atMs: number): string {
  const day = Math.floor(atMs / DAY_MS);
  // 1970-01-01 was a Thursday: (day + 3) mod 7 is 0 on Mondays.
  const thursday = new Date((day - ((day + 3) % 7) + 3) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return `${year}-W${String(week).padStart(2, "0")}`;
}
