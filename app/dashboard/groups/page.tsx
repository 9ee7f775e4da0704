import { coordinator } from "#lib/coordinator/registry.ts";
import type { GroupResource } from "#lib/protocol/api/partners.ts";
import { ActButton } from "../../components/partners/act-button.tsx";
import { NewGroup } from "../../components/partners/create-dialog.tsx";
import { hostAddress } from "../../components/partners/host.ts";
import { CodeBlock } from "../../components/ui/code.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { Stat } from "../../components/ui/stat.tsx";
import { formatCount, formatDuration } from "../../format.ts";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Groups" };

/** As many as an account may have. */
const SHOWN = 100;

export default async function Groups() {
  const caller = await signedIn();
  if (!caller) return null;
  const { items } = await coordinator().services.groups.list(caller, { limit: SHOWN });
  const host = await hostAddress();
  return (
    <>
      <PageHeader title="Private groups" action={<NewGroup />}>
        A job that names a group runs on that group’s browsers alone: a school’s, a lab’s, your own.
      </PageHeader>
      {items.length === 0 ? (
        <EmptyState title="No groups yet" action={<NewGroup />}>
          Make one, open its link in the browsers that should compute, and submit jobs with its id.
        </EmptyState>
      ) : (
        <ul className="grid grid-cols-[minmax(0,1fr)] gap-4">
          {items.map((group) => (
            <Group key={group.id} group={group} host={host} />
          ))}
        </ul>
      )}
    </>
  );
}

function Group({ group, host }: { group: GroupResource; host: string }) {
  const { counts } = group;
  return (
    <li className="rounded-lg border border-line bg-raised p-4 sm:p-5">
      <h2 className="text-[1.2rem] [overflow-wrap:anywhere]">{group.name}</h2>
      <dl className="mt-4 grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-4">
        <Stat name="Donating now">{formatCount(counts.donating_now)}</Stat>
        <Stat name="Donors so far">{formatCount(counts.donors)}</Stat>
        <Stat name="Verified microtasks">{formatCount(counts.microtasks)}</Stat>
        <Stat name="Computed">{formatDuration(counts.compute_seconds)}</Stat>
      </dl>
      <div className="mt-5 grid grid-cols-[minmax(0,1fr)] gap-4 lg:grid-cols-[repeat(2,minmax(0,1fr))]">
        <div>
          <p className="mb-1.5 text-[0.95rem] font-[560]">Link for members</p>
          <CodeBlock text={`${host}${group.join_path}`} label="Copy the link" />
        </div>
        <div>
          <p className="mb-1.5 text-[0.95rem] font-[560]">In a job’s request</p>
          <CodeBlock text={`"group": "${group.id}"`} label="Copy the field" />
        </div>
      </div>
      <div className="mt-4">
        <ActButton
          path={`/api/v1/groups/${group.id}/rotate`}
          text="New link"
          done="The group has a new link"
          question={{
            title: `Give ${group.name} a new link?`,
            description: "The present link ends at once: whoever came by it is disconnected and needs the new one.",
            act: "Make a new link",
          }}
        />
      </div>
    </li>
  );
}
