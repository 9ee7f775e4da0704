/** The donors as everyone may see them. */
import type { DonorsSummary } from "#lib/protocol/api/donors.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { byCountry } from "../donors-by-country.ts";
import { RecentlyVerified } from "../recent-work.ts";

export interface DonorService {
  summary(): Promise<DonorsSummary>;
}

export function createDonorService(
  store: Pick<Store, "donors">,
  dispatcher: Pick<Dispatcher, "sessions" | "session" | "events">,
  now: () => number,
): DonorService {
  const recently = new RecentlyVerified(
    {
      onVerified: (listener) => dispatcher.events.on("result:accepted", ({ donorId }) => listener(donorId)),
      session: (id) => dispatcher.session(id),
    },
    now,
  );
  return {
    async summary() {
      const { donors, accepted, computeMs } = await store.donors.totals();
      const online = byCountry(Array.from(dispatcher.sessions(), ({ view }) => view.country));
      return {
        object: "donors_summary",
        online,
        recent: recently.read(online),
        ever: { donors, microtasks: accepted, compute_seconds: computeMs / 1000 },
      };
    },
  };
}
