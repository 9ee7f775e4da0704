import { ActButton } from "../../components/account/act-button.tsx";
import { ButtonLink } from "../../components/ui/button.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatBytes, formatTime } from "../../format.ts";
import { operator } from "../operator.ts";

export const metadata = { title: "Backup" };

export default async function Backup() {
  const backups = await (await operator()).service.backups();
  const make = (
    <ActButton method="POST" path="/api/v1/operator/backups" done="The backup is made">
      Make a backup
    </ActButton>
  );
  return (
    <>
      <PageHeader title="Backup" action={make}>
        Whole copies of the database, made while the server runs (VACUUM INTO). They hold webhook secrets and hashed
        passwords: keep them safe. Files, results and key files lie beside the database in the data folder.
      </PageHeader>
      {backups.length === 0 ? (
        <EmptyState title="No backup yet">The last five are kept here; download what is to be kept longer.</EmptyState>
      ) : (
        <Table label="Backups">
          <Head>
            <Th>Backup</Th>
            <Th numeric>Size</Th>
            <Th>Made</Th>
            <Th>
              <span className="sr-only">Download</span>
            </Th>
          </Head>
          <tbody>
            {backups.map(({ name, bytes, created_at }) => (
              <Tr key={name}>
                <Td className="number whitespace-nowrap">{name}</Td>
                <Td numeric>{formatBytes(bytes)}</Td>
                <Td className="whitespace-nowrap">{formatTime(created_at)}</Td>
                <Td className="text-right">
                  <ButtonLink
                    kind="quiet"
                    size="small"
                    href={`/api/v1/operator/backups/${name}`}
                    aria-label={`Download ${name}`}
                  >
                    Download
                  </ButtonLink>
                </Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      )}
      <p className="mt-6 max-w-2xl text-ink-2">
        To restore: stop the server, put the copy in place of <code className="number">flux.sqlite</code> (and delete{" "}
        <code className="number">flux.sqlite-wal</code>), and start it.
      </p>
    </>
  );
}
