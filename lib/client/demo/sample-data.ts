/** Synthetic digits as a file that somebody could have brought: for trying the dashboard. */
import { DIGIT_SIDE, syntheticDigits } from "#lib/dataset/synthetic/digits.ts";

const SEED = 20_251;

/** A table with one column a pixel (0 … 255) and the digit last. */
export function digitsCsv(records: number): string {
  const { images, labels } = syntheticDigits(records, SEED);
  const pixels = DIGIT_SIDE * DIGIT_SIDE;
  const header = [...Array.from({ length: pixels }, (_, i) => `p${i}`), "digit"].join(",");
  const rows = Array.from({ length: records }, (_, record) =>
    [...images.subarray(record * pixels, (record + 1) * pixels), labels[record]].join(","),
  );
  return `${header}\n${rows.join("\n")}\n`;
}
