/** The example that the pages show: made by `npm run example` with a real key, never invented. */
import raw from "./example.json";

const { digit, trust } = raw;

export const EXAMPLE = {
  label: digit.label,
  side: digit.side,
  batch: digit.batch,
  answer: digit.answer,
  plain: digit.plain,
  returned: digit.returned,
  falsified: digit.falsified,
  bytesPerRecordDown: digit.bytes_per_record_down,
  /** Residues of the first shown lane, as they are. */
  residues: digit.lanes[0]?.residues ?? [],
} as const;

export const TRUST = trust;

/** `[side, side]`, 0 paper … 255 ink. */
export function examplePicture(): Uint8Array {
  return bytesOf(digit.pixels);
}

/** Lanes as donors got them, one residue a pixel, scaled to 0 … 255: `[lane]` of `[side, side]`. */
export function exampleLanes(): Uint8Array[] {
  return digit.lanes.map(({ picture }) => bytesOf(picture));
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
