/**
 * What each submitter was served lately, and who is next: weighted fair queueing on donor-time.
 *
 * Usage is donor-milliseconds ÷ weight and fades with a half-life, so that neither an old surplus nor an old deficit weighs for
 * long: a submitter that few donors may serve does not save up a claim on the whole fleet. Of those who wait, who used
 * least goes first; between submitters that always wait this gives exact shares. Who comes back from having no work
 * starts at the least usage of those who compete with it (start-time fair queueing; Goyal, Vin and Cheng, SIGCOMM 1996).
 *
 * Usages are kept multiplied by 2^(t/half-life) of their time, so that they compare without being touched as time passes.
 */
import type { TenantId } from "#lib/protocol/ids.ts";
import type { StageView, SubmitterView } from "./types.ts";

const HALF_LIFE_MS = 60_000;
/** Half-lives after which the origin is moved, long before doubles overflow. */
const REBASE_AFTER = 200;
/** Accounts of submitters without work are dropped when there are more. */
const IDLE_ACCOUNTS = 10_000;

class Account implements SubmitterView {
  readonly id: TenantId;
  weight = 1;
  servedMs = 0;
  /** Its stages that have pending microtasks, in the order in which they came. */
  readonly waiting: StageView[] = [];
  /** Usage · 2^(age of the origin ÷ half-life). */
  scaled = 0;

  constructor(id: TenantId) {
    this.id = id;
  }
}

export class FairShare {
  readonly #accounts = new Map<TenantId, Account>();
  /** Those who wait, by usage; nearly sorted at all times. */
  readonly #order: Account[] = [];
  #originMs: number | null = null;
  #nowMs = 0;

  account(id: TenantId): SubmitterView {
    return this.#of(id);
  }

  setWeight(id: TenantId, weight: number): void {
    this.#of(id).weight = weight;
  }

  /** A stage has pending microtasks. */
  waits(stage: StageView): void {
    const account = this.#of(stage.definition.submitterId);
    if (account.waiting.length === 0) {
      account.scaled = Math.max(account.scaled, this.#startOf(stage));
      this.#order.push(account);
    }
    account.waiting.push(stage);
  }

  /** A stage has none any more. */
  waitsNoMore(stage: StageView): void {
    const account = this.#of(stage.definition.submitterId);
    const index = account.waiting.indexOf(stage);
    if (index < 0) return;
    account.waiting.splice(index, 1);
    if (account.waiting.length > 0) return;
    this.#order.splice(this.#order.indexOf(account), 1);
    if (this.#accounts.size > IDLE_ACCOUNTS) this.#prune();
  }

  /** @param atMs when it was leased: what is corrected later is corrected at that time's value */
  charge(id: TenantId, ms: number, atMs: number): void {
    const account = this.#of(id);
    account.scaled = Math.max(0, account.scaled + (ms / account.weight) * this.#scaleAt(atMs));
  }

  served(id: TenantId, ms: number): void {
    this.#of(id).servedMs += ms;
  }

  /** Those who have pending microtasks, least usage first. */
  waitingByUsage(): readonly SubmitterView[] {
    const order = this.#order;
    // Insertion sort: a lease moves one account by some places.
    for (let i = 1; i < order.length; i++) {
      const account = order[i] as Account;
      let j = i;
      while (j > 0 && (order[j - 1] as Account).scaled > account.scaled) {
        order[j] = order[j - 1] as Account;
        j--;
      }
      order[j] = account;
    }
    return order;
  }

  /** Donor-milliseconds ÷ weight of about the last minute and a half, faded. */
  usageMs(id: TenantId, nowMs: number): number {
    return this.#of(id).scaled / this.#scaleAt(nowMs);
  }

  #of(id: TenantId): Account {
    let account = this.#accounts.get(id);
    if (!account) {
      account = new Account(id);
      this.#accounts.set(id, account);
    }
    return account;
  }

  /** The least usage of those who wait for the same donors, or of all who wait. */
  #startOf({ definition, allowedCountries }: StageView): number {
    const same = (other: StageView) =>
      other.definition.groupId === definition.groupId && sameSet(other.allowedCountries, allowedCountries);
    let least = Number.POSITIVE_INFINITY;
    let leastOfSame = Number.POSITIVE_INFINITY;
    for (const { scaled, waiting } of this.#order) {
      least = Math.min(least, scaled);
      if (scaled < leastOfSame && waiting.some(same)) leastOfSame = scaled;
    }
    if (leastOfSame < Number.POSITIVE_INFINITY) return leastOfSame;
    return least < Number.POSITIVE_INFINITY ? least : 0;
  }

  #scaleAt(atMs: number): number {
    this.#originMs ??= atMs;
    this.#nowMs = Math.max(this.#nowMs, atMs);
    const halfLives = (this.#nowMs - this.#originMs) / HALF_LIFE_MS;
    if (halfLives > REBASE_AFTER) {
      for (const account of this.#accounts.values()) account.scaled *= 2 ** -halfLives;
      this.#originMs = this.#nowMs;
    }
    return 2 ** ((atMs - this.#originMs) / HALF_LIFE_MS);
  }

  #prune(): void {
    for (const [id, { waiting, servedMs, scaled }] of this.#accounts) {
      const faded = scaled / this.#scaleAt(this.#nowMs) < 1;
      if (waiting.length === 0 && (servedMs === 0 || faded)) this.#accounts.delete(id);
    }
  }
}

function sameSet(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.size !== b.size) return false;
  for (const value of a) if (!b.has(value)) return false;
  return true;
}
