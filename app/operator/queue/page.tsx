import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { StatusBadge } from "../../components/ui/status.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatCount, formatTime } from "../../format.ts";
import { operator } from "../operator.ts";

export const metadata = { title: "Queue" };

export default async function Queue() {
  const jobs = await (await operator()).service.queue();
  return (
    <>
      <PageHeader title="Queue">Everybody’s jobs that have not ended, oldest first.</PageHeader>
      {jobs.length === 0 ? (
        <EmptyState title="Nothing waits and nothing runs." />
      ) : (
        <Table label="Queue">
          <Head>
            <Th>Job</Th>
            <Th>Account</Th>
            <Th>Status</Th>
            <Th numeric>Done</Th>
            <Th>Why</Th>
            <Th>Since</Th>
          </Head>
          <tbody>
            {jobs.map((job) => (
              <Tr key={job.id}>
                <Td>
                  <span className="[overflow-wrap:anywhere]">{job.name}</span>
                  <span className="number block text-[0.85rem] text-ink-3">{job.id}</span>
                </Td>
                <Td className="number whitespace-nowrap">…{job.tenant.slice(-6)}</Td>
                <Td>
                  <StatusBadge status={job.status} />
                </Td>
                <Td numeric>
                  {formatCount(job.units_accepted)} of {formatCount(job.units)}
                </Td>
                <Td className="min-w-56">{job.why}</Td>
                <Td className="whitespace-nowrap">{formatTime(job.created_at)}</Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      )}
    </>
  );
}
