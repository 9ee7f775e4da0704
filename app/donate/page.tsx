import type { Metadata } from "next";
import { coordinator } from "#lib/coordinator/registry.ts";
import { JoinToken } from "#lib/protocol/ids.ts";
import { laneMap } from "../components/map/lane-map.ts";
import { DonateView } from "./donate-view.tsx";

export const metadata: Metadata = {
  title: "Lend this browser",
  description: "Let this tab compute for machine learning: one click to start, one to stop, on data it cannot read.",
};

export default async function DonatePage({
  searchParams,
}: {
  searchParams: Promise<{ group?: string; team?: string }>;
}) {
  const { group, team } = await searchParams;
  const token = JoinToken.safeParse(group);
  const teamToken = JoinToken.safeParse(team);
  const { services } = coordinator();
  return (
    <DonateView
      donors={await services.donors.summary()}
      map={laneMap()}
      group={token.success ? { token: token.data, invite: await invited(token.data) } : null}
      teamToken={teamToken.success ? teamToken.data : null}
    />
  );

  /** Null for a link that does not count any more. */
  async function invited(groupToken: JoinToken) {
    return services.groups.invite(groupToken).catch(() => null);
  }
}
