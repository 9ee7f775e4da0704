import type { DonorsSummary } from "#lib/protocol/api/donors.ts";
import { formatCount, formatDuration } from "../../format.ts";
import { Stat } from "../ui/stat.tsx";

/** The network as it is at this moment; no number here is an estimate. */
export function NetworkNow({ summary }: { summary: DonorsSummary }) {
  const { online, ever } = summary;
  return (
    <section aria-label="The network now" className="mt-10 border-t border-line pt-6">
      <dl className="grid grid-cols-2 gap-x-8 gap-y-4 sm:grid-cols-4">
        <Stat name="Donors online" unit="browser tabs">
          {formatCount(online.donors)}
        </Stat>
        <Stat name="Donors so far" unit="browser tabs">
          {formatCount(ever.donors)}
        </Stat>
        <Stat name="Checked and accepted" unit="microtasks">
          {formatCount(ever.microtasks)}
        </Stat>
        <Stat name="Lent computing" unit="by all donors together">
          {formatDuration(ever.compute_seconds)}
        </Stat>
      </dl>
    </section>
  );
}
