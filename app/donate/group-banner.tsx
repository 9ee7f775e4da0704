"use client";
/** What members of a private group see: whose it is, who is here, and whether there is work. */
import { GroupInvite } from "#lib/protocol/api/partners.ts";
import { Notice } from "../components/ui/notice.tsx";
import { usePolled } from "../components/use-polled.ts";
import { formatCount } from "./format.ts";

export interface JoinedGroup {
  readonly token: string;
  /** Null: the link does not count any more. */
  readonly invite: GroupInvite | null;
}

const EVERY_MS = 5_000;

export function GroupBanner({ group }: { group: JoinedGroup }) {
  if (group.invite) return <Members token={group.token} invite={group.invite} />;
  return (
    <Notice tone="bad" title="This group’s link is not valid any more">
      Ask whoever gave it to you for the new one, or <a href="/donate">donate to everybody’s jobs</a>.
    </Notice>
  );
}

function Members({ token, invite }: { token: string; invite: GroupInvite }) {
  const { value } = usePolled(`/api/v1/group-invites/${token}`, GroupInvite, invite, EVERY_MS);
  const facts = [
    `${formatCount(value.donating_now)} of its browsers donate now`,
    `${formatCount(value.microtasks)} microtasks verified`,
    value.jobs_open === 0 ? "no job of its own waits" : `${formatCount(value.jobs_open)} of its jobs open`,
  ];
  return (
    <Notice tone="info" title={`You donate with ${value.name}`}>
      {facts.join(" · ")}. This browser takes the group’s jobs, and others’ in between.
    </Notice>
  );
}
