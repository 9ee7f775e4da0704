import type { TenantResource } from "#lib/protocol/api/operator.ts";
import { TenantId } from "#lib/protocol/ids.ts";
import { ActButton } from "../../components/account/act-button.tsx";
import { QuotaDialog, ResetLink } from "../../components/operator/tenant-acts.tsx";
import { Badge } from "../../components/ui/badge.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { formatBytes, formatCount, formatTime } from "../../format.ts";
import { operator } from "../operator.ts";

export const metadata = { title: "Accounts" };

const SHOWN = 50;

export default async function Accounts({ searchParams }: { searchParams: Promise<{ after?: string }> }) {
  const { caller, service } = await operator();
  const after = TenantId.safeParse((await searchParams).after);
  const { items, hasMore } = await service.tenants({ limit: SHOWN, ...(after.success ? { after: after.data } : {}) });
  return (
    <>
      <PageHeader title="Accounts">Who is here, what they use, and what they may use.</PageHeader>
      <ul className="grid grid-cols-1 gap-4">
        {items.map((tenant) => (
          <Tenant key={tenant.id} tenant={tenant} own={tenant.id === caller.tenantId} />
        ))}
      </ul>
      {hasMore ? (
        <p className="mt-6">
          <a className="link" href={`/operator/accounts?after=${items.at(-1)?.id}`}>
            More accounts
          </a>
        </p>
      ) : null}
    </>
  );
}

function Tenant({ tenant, own }: { tenant: TenantResource; own: boolean }) {
  const { usage } = tenant;
  const path = `/api/v1/operator/tenants/${tenant.id}`;
  return (
    <li className="grid gap-3 rounded-lg border border-line bg-raised p-4 sm:p-5">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="flex flex-wrap items-center gap-2 text-[1.1rem] [overflow-wrap:anywhere]">
            {tenant.name}
            {tenant.suspended_at ? <Badge tone="bad">suspended</Badge> : null}
            {own ? <Badge tone="good">yours</Badge> : null}
          </h2>
          <p className="number text-[0.86rem] text-ink-3">
            {tenant.id} · {formatTime(tenant.created_at)}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          <QuotaDialog tenant={tenant} />
          {own ? null : tenant.suspended_at ? (
            <ActButton method="PATCH" path={path} body={{ suspended: false }} done="It may work again">
              Take up again
            </ActButton>
          ) : (
            <ActButton
              method="PATCH"
              path={path}
              body={{ suspended: true }}
              label={`Suspend ${tenant.name}`}
              done="It is suspended"
              danger
              question={{
                title: `Suspend ${tenant.name}?`,
                description: "Its people and keys are refused from now on. Its jobs and data stay.",
              }}
            >
              Suspend
            </ActButton>
          )}
          {own ? null : (
            <ActButton
              method="DELETE"
              path={path}
              label={`Delete ${tenant.name}`}
              done="It is deleted"
              danger
              question={{
                title: `Delete ${tenant.name}?`,
                description: "Its jobs end, and all of its data is deleted. Nobody can bring it back.",
              }}
            >
              Delete
            </ActButton>
          )}
        </div>
      </div>
      <p className="flex flex-wrap gap-x-5 gap-y-1 text-[0.95rem] text-ink-2">
        <span>
          {formatCount(usage.jobs.used)} of {formatCount(usage.jobs.limit)} jobs
        </span>
        <span>
          {formatCount(usage.concurrent_jobs.used)} of {formatCount(usage.concurrent_jobs.limit)} not ended
        </span>
        <span>
          {formatCount(usage.files.used)} of {formatCount(usage.files.limit)} files
        </span>
        <span>
          {formatBytes(usage.bytes.used)} of {formatBytes(usage.bytes.limit)}
        </span>
      </p>
      {tenant.people.length > 0 ? (
        <ul className="grid gap-2 border-t border-line pt-3">
          {tenant.people.map((person) => (
            <li key={person.id} className="flex flex-wrap items-center justify-between gap-2">
              <span className="flex min-w-0 flex-wrap items-center gap-2 [overflow-wrap:anywhere]">
                {person.name} <span className="text-ink-3">{person.email}</span>
                {person.role === "admin" ? <Badge tone="accent">admin</Badge> : null}
              </span>
              <ResetLink user={person.id} name={person.name} />
            </li>
          ))}
        </ul>
      ) : (
        <p className="text-[0.95rem] text-ink-3">Only API keys, no people.</p>
      )}
    </li>
  );
}
