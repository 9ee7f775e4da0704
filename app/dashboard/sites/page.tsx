import { coordinator } from "#lib/coordinator/registry.ts";
import { SiteId } from "#lib/protocol/ids.ts";
import { NewSite } from "../../components/partners/create-dialog.tsx";
import { hostAddress } from "../../components/partners/host.ts";
import { SiteCard } from "../../components/partners/site-card.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Sites" };

const SHOWN = 20;

export default async function Sites({ searchParams }: { searchParams: Promise<{ after?: string }> }) {
  const caller = await signedIn();
  if (!caller) return null;
  const after = SiteId.safeParse((await searchParams).after);
  const { items, hasMore } = await coordinator().services.sites.list(caller, {
    limit: SHOWN,
    ...(after.success ? { after: after.data } : {}),
  });
  const host = await hostAddress();
  const last = items.at(-1);
  return (
    <>
      <PageHeader title="Sites" action={<NewSite />}>
        Let the visitors of your site donate, if they want to: one script tag, a button in a frame of ours.{" "}
        <a className="link" href="/docs/embed">
          How the embed works
        </a>
      </PageHeader>
      {items.length === 0 ? (
        <EmptyState title="No sites yet" action={<NewSite />}>
          Register your site’s address and copy its script tag. Nothing runs in a visitor’s browser before they say yes.
        </EmptyState>
      ) : (
        <ul className="grid grid-cols-[minmax(0,1fr)] gap-4">
          {items.map((site) => (
            <SiteCard key={site.id} site={site} host={host} />
          ))}
        </ul>
      )}
      {hasMore && last ? (
        <p className="mt-6">
          <a className="link" href={`/dashboard/sites?after=${last.id}`}>
            Older sites
          </a>
        </p>
      ) : null}
    </>
  );
}
