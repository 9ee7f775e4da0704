import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatTime } from "../../format.ts";
import { operator } from "../operator.ts";

export const metadata = { title: "Audit log" };

const SHOWN = 50;

export default async function AuditLog({ searchParams }: { searchParams: Promise<{ before?: string }> }) {
  const before = Number((await searchParams).before);
  const page = { limit: SHOWN, ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}) };
  const { items, hasMore } = await (await operator()).service.auditLog(page);
  return (
    <>
      <PageHeader title="Audit log">
        Who did what. Entries are never changed or deleted; of accounts that are gone only ids stay.
      </PageHeader>
      {items.length === 0 ? (
        <EmptyState title="Nothing was done yet." />
      ) : (
        <Table label="Audit log">
          <Head>
            <Th>When</Th>
            <Th>What</Th>
            <Th>Who</Th>
            <Th>To what</Th>
            <Th>More</Th>
          </Head>
          <tbody>
            {items.map((entry) => (
              <Tr key={entry.id}>
                <Td className="whitespace-nowrap">{formatTime(entry.at)}</Td>
                <Td className="number whitespace-nowrap">{entry.action}</Td>
                <Td>
                  <span className="[overflow-wrap:anywhere]">{entry.actor_name ?? entry.actor}</span>
                  {entry.address ? (
                    <span className="number block text-[0.85rem] text-ink-3">{entry.address}</span>
                  ) : null}
                </Td>
                <Td className="number text-[0.88rem] [overflow-wrap:anywhere]">{entry.target ?? ""}</Td>
                <Td className="number min-w-40 text-[0.88rem] [overflow-wrap:anywhere]">
                  {Object.entries(entry.detail)
                    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
                    .join(", ")}
                </Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      )}
      {hasMore ? (
        <p className="mt-6">
          <a className="link" href={`/operator/audit?before=${items.at(-1)?.id}`}>
            Older entries
          </a>
        </p>
      ) : null}
    </>
  );
}
