/** Which lanes of a batch have no result: their microtasks kept failing and were set aside. */

import type { BatchRecord, UnitRange } from "#lib/storage/records.ts";
import { uncovered } from "../dispatch/ranges.ts";

/** Lanes computed on the coordinator at once; bounds memory, not work. */
const PIECE_LANES = 1024;

export function missingRanges(batch: BatchRecord, results: readonly UnitRange[]): UnitRange[] {
  return [...uncovered(batch, results, PIECE_LANES)];
}
