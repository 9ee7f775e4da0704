/** Numbers as the donate page writes them: short, tabular, always with their unit. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const formatCount = (value: number): string => whole.format(value);
export const formatShare = (share: number): string => `${Math.round(share * 100)} %`;

/** 31,200,000,000 → "31.2 G". */
export function formatSi(value: number): string {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  let power = 0;
  let scaled = value;
  while (scaled >= 1_000 && power < prefixes.length - 1) {
    scaled /= 1_000;
    power++;
  }
  return `${short.format(scaled)} ${prefixes[power]}`.trim();
}

export function formatBytes(bytes: number): string {
  return bytes < 1_000 ? `${whole.format(bytes)} B` : `${formatSi(bytes)}B`;
}

/** "NO" → "Norway". */
export function countryName(code: string): string {
  return new Intl.DisplayNames("en", { type: "region" }).of(code) ?? code;
}
