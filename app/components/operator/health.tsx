"use client";
import { ServerHealth } from "#lib/protocol/api/operator.ts";
import { formatBytes, formatCount, formatDuration } from "../../format.ts";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import { Stat } from "../ui/stat.tsx";
import { usePolled } from "../use-polled.ts";

const EVERY_MS = 5_000;
/** Above this everybody's requests wait noticeably. */
const SLOW_LOOP_MS = 50;
const LITTLE_DISK_BYTES = 5e9;

export function Health({ initial }: { initial: ServerHealth }) {
  const { value: health, connected } = usePolled("/api/v1/operator/health", ServerHealth, initial, EVERY_MS);
  return (
    <div className="grid gap-6">
      {connected ? null : <Notice tone="bad" title="The server does not answer. These numbers are the last ones." />}
      {health.why ? <Notice tone="bad" title={`Not ready: ${health.why}`} /> : null}
      {health.disk_free_bytes < LITTLE_DISK_BYTES ? (
        <Notice tone="bad" title={`Only ${formatBytes(health.disk_free_bytes)} are left on the disk.`}>
          Delete old jobs and files, or move FLUX_DATA to a larger disk.
        </Notice>
      ) : null}
      {health.event_loop_delay_p99_ms > SLOW_LOOP_MS ? (
        <Notice tone="info" title="The server is busy: one request in a hundred waits noticeably." />
      ) : null}
      <Card className="p-5 sm:p-6">
        <dl className="grid grid-cols-2 gap-x-6 gap-y-5 sm:grid-cols-3 lg:grid-cols-4">
          <Stat name="Running for">{formatDuration(health.uptime_seconds)}</Stat>
          <Stat name="Donors online">{formatCount(health.donors_online)}</Stat>
          <Stat name="Donor sockets">{formatCount(health.donor_sockets)}</Stat>
          <Stat name="Leases held">{formatCount(health.leases_held)}</Stat>
          <Stat name="Jobs with open work">{formatCount(health.jobs_open)}</Stat>
          <Stat name="Accounts">{formatCount(health.tenants)}</Stat>
          <Stat name="Memory">{formatBytes(health.memory_bytes)}</Stat>
          <Stat name="Event loop delay" unit="99th percentile">
            {health.event_loop_delay_p99_ms.toFixed(1)} ms
          </Stat>
          <Stat name="Database">{formatBytes(health.database_bytes)}</Stat>
          <Stat name="Free on the disk">{formatBytes(health.disk_free_bytes)}</Stat>
          <Stat name="Node">{health.node}</Stat>
        </dl>
      </Card>
    </div>
  );
}
