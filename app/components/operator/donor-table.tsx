import type { OperatorDonor } from "#lib/protocol/api/operator.ts";
import { formatCount, formatDuration, formatTime } from "../../format.ts";
import { ActButton } from "../account/act-button.tsx";
import { Badge } from "../ui/badge.tsx";
import { Head, Table, Td, Th, Tr } from "../ui/table.tsx";

export function DonorTable({ label, donors }: { label: string; donors: readonly OperatorDonor[] }) {
  return (
    <Table label={label}>
      <Head>
        <Th>Donor</Th>
        <Th>Device</Th>
        <Th numeric>Accepted</Th>
        <Th numeric>Refused</Th>
        <Th numeric>Computed</Th>
        <Th>Last seen</Th>
        <Th>
          <span className="sr-only">Act</span>
        </Th>
      </Head>
      <tbody>
        {donors.map((donor) => (
          <Tr key={donor.id}>
            <Td>
              <span className="flex flex-wrap items-center gap-1.5">
                {donor.name ?? <span className="number whitespace-nowrap">…{donor.id.slice(-6)}</span>}
                {donor.online ? <Badge tone="good">online</Badge> : null}
                {donor.banned_at ? <Badge tone="bad">banned</Badge> : null}
              </span>
            </Td>
            <Td className="whitespace-nowrap">{[donor.device, donor.country].filter(Boolean).join(", ") || "away"}</Td>
            <Td numeric>{formatCount(donor.accepted)}</Td>
            <Td numeric>{formatCount(donor.refused)}</Td>
            <Td numeric>{formatDuration(donor.compute_seconds)}</Td>
            <Td className="whitespace-nowrap">{formatTime(donor.last_seen_at)}</Td>
            <Td className="text-right">
              {donor.banned_at ? (
                <ActButton
                  method="DELETE"
                  path={`/api/v1/operator/donors/${donor.id}/ban`}
                  label={`Let …${donor.id.slice(-6)} in again`}
                  done="It may come again"
                >
                  Let in again
                </ActButton>
              ) : (
                <ActButton
                  method="POST"
                  path={`/api/v1/operator/donors/${donor.id}/ban`}
                  label={`Ban …${donor.id.slice(-6)}`}
                  done="It is banned"
                  danger
                  question={{ title: "Ban this donor?", description: "Its connection ends, and no new one is taken." }}
                >
                  Ban
                </ActButton>
              )}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
