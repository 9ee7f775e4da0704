/** What was verified in the last seconds, and in which countries: for the map. Kept in memory, per second, and forgotten. */
import { type DonorsByCountry, RECENT_SECONDS, type RecentWork } from "#lib/protocol/api/donors.ts";
import type { DonorId } from "#lib/protocol/ids.ts";

const UNKNOWN = "";

export interface Verifications {
  /** Calls with the donor of each result that is accepted. */
  readonly onVerified: (listener: (donor: DonorId) => void) => void;
  readonly session: (id: DonorId) => { readonly view: { readonly country: string | null } } | undefined;
}

export class RecentlyVerified {
  readonly #now: () => number;
  /** Of each second that is not over for long: microtasks by country. */
  readonly #seconds = new Map<number, Map<string, number>>();

  constructor({ onVerified, session }: Verifications, now: () => number) {
    this.#now = now;
    onVerified((donor) => this.#count(session(donor)?.view.country));
  }

  /** Countries are named where `online` names them; the rest only counts in the sum. */
  read(online: DonorsByCountry): RecentWork {
    this.#forget();
    const sums = new Map<string, number>();
    for (const countries of this.#seconds.values()) {
      for (const [country, microtasks] of countries) sums.set(country, (sums.get(country) ?? 0) + microtasks);
    }
    return {
      seconds: RECENT_SECONDS,
      microtasks: [...sums.values()].reduce((sum, microtasks) => sum + microtasks, 0),
      countries: online.countries.flatMap(({ country }) => {
        const microtasks = sums.get(country) ?? 0;
        return microtasks > 0 ? [{ country, microtasks }] : [];
      }),
    };
  }

  #count(country: string | null | undefined): void {
    this.#forget();
    const second = this.#second();
    const countries = this.#seconds.get(second) ?? new Map<string, number>();
    countries.set(country ?? UNKNOWN, (countries.get(country ?? UNKNOWN) ?? 0) + 1);
    this.#seconds.set(second, countries);
  }

  #forget(): void {
    const first = this.#second() - RECENT_SECONDS;
    for (const second of this.#seconds.keys()) {
      if (second > first) break;
      this.#seconds.delete(second);
    }
  }

  #second(): number {
    return Math.floor(this.#now() / 1_000);
  }
}
