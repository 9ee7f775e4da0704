/**
 * The pending microtasks of one stage: first in, first out, what came back goes before what was never tried.
 * Head access, push and removal near the head are O(1) amortised, so that a million pending microtasks cost nothing to choose from.
 */
import type { Microtask } from "./types.ts";

/** Spent slots before the array is compacted: amortises the copy to O(1) per microtask. */
const COMPACT_AFTER = 1024;

export class PendingQueue {
  /** Came back; a stack would starve the oldest, so it is a queue as well. Short in practice. */
  readonly #returned: Microtask[] = [];
  #fresh: Microtask[] = [];
  #head = 0;
  #units = 0;

  get count(): number {
    return this.#returned.length + this.#fresh.length - this.#head;
  }

  get units(): number {
    return this.#units;
  }

  push(microtask: Microtask): void {
    this.#fresh.push(microtask);
    this.#units += microtask.unitCount;
  }

  pushReturned(microtask: Microtask): void {
    this.#returned.push(microtask);
    this.#units += microtask.unitCount;
  }

  /** The i-th from the head. */
  at(i: number): Microtask | undefined {
    const returned = this.#returned.length;
    return i < returned ? this.#returned[i] : this.#fresh[this.#head + i - returned];
  }

  /** Cost grows with the distance from the head; callers look only a few places ahead. */
  remove(microtask: Microtask): boolean {
    const r = this.#returned.indexOf(microtask);
    if (r >= 0) {
      this.#returned.splice(r, 1);
      this.#units -= microtask.unitCount;
      return true;
    }
    const index = this.#fresh.indexOf(microtask, this.#head);
    if (index < 0) return false;
    for (let i = index; i > this.#head; i--) this.#fresh[i] = this.#fresh[i - 1] as Microtask;
    this.#head++;
    this.#units -= microtask.unitCount;
    if (this.#head > COMPACT_AFTER && this.#head * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** Puts what was carved off back at the place of the range it came from: the head. */
  replaceHeadWith(microtask: Microtask): void {
    if (this.#head > 0) {
      this.#head--;
      this.#fresh[this.#head] = microtask;
    } else this.#fresh.unshift(microtask);
    this.#units += microtask.unitCount;
  }

  clear(): void {
    this.#returned.length = 0;
    this.#fresh = [];
    this.#head = 0;
    this.#units = 0;
  }

  *[Symbol.iterator](): Iterator<Microtask> {
    for (let i = 0; i < this.count; i++) yield this.at(i) as Microtask;
  }
}
