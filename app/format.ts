/** Numbers for people: units always shown, widths steady. */

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function formatCount(value: number): string {
  return integers.format(value);
}

/** Three significant digits, with thousands separated. */
export function formatRate(value: number): string {
  if (value >= 100) return integers.format(value);
  return value.toFixed(value >= 10 ? 1 : 2);
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** "12 ms", "0.4 s", "12 s", "3 min 05 s", "2 h 10 min". */
export function formatDuration(seconds: number): string {
  if (seconds > 0 && seconds < 0.0995) return `${Math.max(1, Math.round(1000 * seconds))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** The same text on server and browser, whatever their time zones. */
export function formatTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

export function formatPercent(share: number, digits = 0): string {
  return `${(100 * share).toFixed(digits)} %`;
}

const countries = new Intl.DisplayNames("en", { type: "region" });

/** "NO" → "Norway". */
export function countryName(code: string): string {
  return countries.of(code) ?? code;
}
