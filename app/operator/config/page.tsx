import { PageHeader } from "../../components/ui/page-header.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { operator } from "../operator.ts";

export const metadata = { title: "Settings" };

export default async function Settings() {
  const settings = (await operator()).service.settings();
  return (
    <>
      <PageHeader title="Settings">
        Environment variables of the server, read once at its start. Of secrets you see only whether they are set.
      </PageHeader>
      <Table label="Settings">
        <Head>
          <Th>Variable</Th>
          <Th>Value</Th>
          <Th>What it is</Th>
        </Head>
        <tbody>
          {settings.map(({ name, value, means }) => (
            <Tr key={name}>
              <Td className="number text-[0.9rem] whitespace-nowrap">{name}</Td>
              <Td className="number text-[0.9rem] [overflow-wrap:anywhere]">{value}</Td>
              <Td className="min-w-56 text-ink-2">{means}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}
