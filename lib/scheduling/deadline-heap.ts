/** A binary min-heap of attempts by the time at which their leases run out. Ended attempts are skipped when they surface. */
import type { Attempt } from "./types.ts";

interface Entry {
  readonly atMs: number;
  readonly attempt: Attempt;
}

export class DeadlineHeap {
  readonly #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  push(attempt: Attempt): void {
    const entries = this.#entries;
    const entry: Entry = { atMs: attempt.expiresAtMs, attempt };
    let i = entries.length;
    entries.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = entries[parent] as Entry;
      if (above.atMs <= entry.atMs) break;
      entries[i] = above;
      i = parent;
    }
    entries[i] = entry;
  }

  peek(): Entry | undefined {
    return this.#entries[0];
  }

  pop(): Entry | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (top === undefined || last === undefined || entries.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right !== undefined && right.atMs < (entries[child] as Entry).atMs) child++;
      const below = entries[child] as Entry;
      if (below.atMs >= last.atMs) break;
      entries[i] = below;
      i = child;
    }
    entries[i] = last;
    return top;
  }
}
