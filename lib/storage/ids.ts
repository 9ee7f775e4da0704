/** Fresh ids from the system's cryptographic source, for code that makes records. */
import { randomFillSync } from "node:crypto";
import { makeId } from "#lib/protocol/ids.ts";

/** Random bytes are drawn in blocks: one system call per 200 ids (1.4 µs → 0.3 µs an id). */
const BLOCK_BYTES = 4000;
const block = new Uint8Array(BLOCK_BYTES);
let used = BLOCK_BYTES;

export function freshId<Prefix extends Parameters<typeof makeId>[0]>(
  prefix: Prefix,
): ReturnType<typeof makeId<Prefix>> {
  if (used + 20 > BLOCK_BYTES) {
    randomFillSync(block);
    used = 0;
  }
  used += 20;
  return makeId(prefix, block.subarray(used - 20, used));
}

/** Base32 digits of the milliseconds since 1970 in an ordered id: enough until the year 36812. */
const TIME_DIGITS = 10;

/**
 * An id of a row of the hot path: time first, then 50 random bits. Rows that are made together then lie together in the
 * indexes, and a group commit writes a few pages instead of one per row (`npm run bench:dispatch`: commits took 20 % of the
 * coordinator's time with random ids, 14 % with these). Who holds such an id can do nothing with it:
 * a lease answers to its donor's connection alone.
 */
export function orderedId<Prefix extends "mt" | "ls">(
  prefix: Prefix,
  nowMs = Date.now(),
): ReturnType<typeof makeId<Prefix>> {
  if (used + 20 > BLOCK_BYTES) {
    randomFillSync(block);
    used = 0;
  }
  used += 20;
  const bytes = block.subarray(used - 20, used);
  for (let digit = TIME_DIGITS - 1, rest = nowMs; digit >= 0; digit--, rest = Math.floor(rest / 32))
    bytes[digit] = rest % 32;
  return makeId(prefix, bytes);
}
