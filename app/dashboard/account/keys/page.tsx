import { hasScope } from "#lib/coordinator/identity.ts";
import { coordinator } from "#lib/coordinator/registry.ts";
import { keyResource } from "#lib/coordinator/rest/routes/access.ts";
import { type ApiKeyResource, Scope } from "#lib/protocol/api/access.ts";
import { ActButton } from "../../../components/account/act-button.tsx";
import { NewKey } from "../../../components/account/new-key.tsx";
import { Badge } from "../../../components/ui/badge.tsx";
import { EmptyState } from "../../../components/ui/empty-state.tsx";
import { PageHeader } from "../../../components/ui/page-header.tsx";
import { Head, Table, Td, Th, Tr } from "../../../components/ui/table.tsx";
import { formatTime } from "../../../format.ts";
import { signedIn } from "../../../session.ts";

export const metadata = { title: "API keys" };

export default async function Keys() {
  const caller = await signedIn();
  if (!caller || !hasScope(caller, "account")) return null;
  const keys = (await coordinator().store.apiKeys.list(caller.tenantId)).map(keyResource);
  const valid = keys.filter(({ revoked_at }) => revoked_at === null);
  const revoked = keys.filter(({ revoked_at }) => revoked_at !== null);
  const scopes = Scope.options.filter((scope) => hasScope(caller, scope));
  return (
    <>
      <PageHeader title="API keys" action={<NewKey scopes={scopes} />}>
        For programs: the command line, the SDK, and anything that speaks HTTP. Everything that a key has open ends in
        the second in which you revoke it.
      </PageHeader>
      {valid.length === 0 ? (
        <EmptyState title="No keys yet">
          A key is shown once, when it is made. <code className="number">npx flux login</code> keeps it for you.
        </EmptyState>
      ) : (
        <KeyTable label="Keys" keys={valid} own={caller.kind === "key" ? caller.keyId : null} />
      )}
      {revoked.length > 0 ? (
        <details className="mt-7">
          <summary className="text-ink-2">Revoked keys ({revoked.length})</summary>
          <div className="mt-3">
            <KeyTable label="Revoked keys" keys={revoked} own={null} />
          </div>
        </details>
      ) : null}
    </>
  );
}

function KeyTable({ label, keys, own }: { label: string; keys: readonly ApiKeyResource[]; own: string | null }) {
  return (
    <Table label={label}>
      <Head>
        <Th>Name</Th>
        <Th>Key</Th>
        <Th>May</Th>
        <Th>Made</Th>
        <Th>Last used</Th>
        <Th>
          <span className="sr-only">Act</span>
        </Th>
      </Head>
      <tbody>
        {keys.map((key) => (
          <Tr key={key.id}>
            <Td className="font-[560] [overflow-wrap:anywhere]">{key.name}</Td>
            <Td className="number whitespace-nowrap">…{key.hint}</Td>
            <Td>
              <span className="flex flex-wrap gap-1.5">
                {key.scopes.map((scope) => (
                  <Badge key={scope}>{scope}</Badge>
                ))}
              </span>
            </Td>
            <Td className="whitespace-nowrap">{formatTime(key.created_at)}</Td>
            <Td className="whitespace-nowrap">{key.last_used_at ? formatTime(key.last_used_at) : "never"}</Td>
            <Td className="text-right">
              {key.revoked_at ? (
                <span className="whitespace-nowrap text-ink-3">{formatTime(key.revoked_at)}</span>
              ) : key.id === own ? (
                <Badge tone="good">this one</Badge>
              ) : (
                <ActButton
                  method="DELETE"
                  path={`/api/v1/keys/${key.id}`}
                  label={`Revoke ${key.name}`}
                  done={`${key.name} is revoked`}
                  danger
                  question={{
                    title: `Revoke ${key.name}?`,
                    description: "Programs that use it are refused from now on, and what they have open is cut off.",
                  }}
                >
                  Revoke
                </ActButton>
              )}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
