/** The donors as everyone may see them. */
import type { DonorsSummary } from "#lib/protocol/api/donors.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { byCountry } from "../donors-by-country.ts";

export interface DonorService {
  summary(): Promise<DonorsSummary>;
}

export function createDonorService(
  store: Pick<Store, "donors">,
  dispatcher: Pick<Dispatcher, "sessions">,
): DonorService {
  return {
    async summary() {
      const { donors, accepted, computeMs } = await store.donors.totals();
      return {
        object: "donors_summary",
        online: byCountry(Array.from(dispatcher.sessions(), ({ view }) => view.country)),
        ever: { donors, microtasks: accepted, compute_seconds: computeMs / 1000 },
      };
    },
  };
}
