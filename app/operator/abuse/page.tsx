import { DonorTable } from "../../components/operator/donor-table.tsx";
import { Card } from "../../components/ui/card.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { Stat } from "../../components/ui/stat.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatCount, formatTime } from "../../format.ts";
import { operator } from "../operator.ts";

export const metadata = { title: "Abuse" };

const LIMITS: Readonly<Record<string, string>> = {
  read: "Reading",
  write: "Writing",
  heavy: "Planning, models, datasets",
  open: "Without a key",
  signIn: "Signing in, by address",
  signInPerEmail: "Signing in, by e-mail",
};

export default async function AbusePage() {
  const { banned, refused_results, rate_limited } = await (await operator()).service.abuse();
  return (
    <>
      <PageHeader title="Abuse">Who was turned away, and why.</PageHeader>
      <Card className="p-5 sm:p-6">
        <h2 className="text-[1.25rem]">Requests over a limit, since the start</h2>
        <dl className="mt-4 grid grid-cols-2 gap-5 sm:grid-cols-3">
          {Object.entries(rate_limited).map(([limit, requests]) => (
            <Stat key={limit} name={LIMITS[limit] ?? limit}>
              {formatCount(requests)}
            </Stat>
          ))}
        </dl>
      </Card>
      <section aria-labelledby="banned" className="mt-9">
        <h2 id="banned" className="mb-3 text-[1.25rem]">
          Banned donors
        </h2>
        {banned.length === 0 ? (
          <p className="text-ink-2">Nobody is banned.</p>
        ) : (
          <DonorTable label="Banned donors" donors={banned} />
        )}
      </section>
      <section aria-labelledby="refused" className="mt-9">
        <h2 id="refused" className="mb-3 text-[1.25rem]">
          Refused results
        </h2>
        {refused_results.length === 0 ? (
          <p className="text-ink-2">No result was refused.</p>
        ) : (
          <Table label="Refused results">
            <Head>
              <Th>When</Th>
              <Th>Donor</Th>
              <Th>Code</Th>
              <Th>Why</Th>
            </Head>
            <tbody>
              {refused_results.map(({ donor, stage, code, detail, at }) => (
                <Tr key={`${at} ${donor} ${stage}`}>
                  <Td className="whitespace-nowrap">{formatTime(at)}</Td>
                  <Td className="number whitespace-nowrap">…{donor.slice(-6)}</Td>
                  <Td className="number">{code}</Td>
                  <Td className="min-w-56">{detail}</Td>
                </Tr>
              ))}
            </tbody>
          </Table>
        )}
      </section>
    </>
  );
}
