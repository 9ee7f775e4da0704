import { Registry } from "prom-client";
import { afterEach, expect, it } from "vitest";
import { fleetReporter } from "#lib/coordinator/fleet-report.ts";
import { observeWork } from "#lib/coordinator/work-metrics.ts";
import { FleetReport } from "#lib/protocol/api/fleet.ts";
import { rightResult } from "./dispatch/harness.ts";
import { connectDonor, type DonorServer, startDonorServer } from "./gateway/donor-server.ts";

let server: DonorServer;
afterEach(() => server.close());

it("metrics say what happened to leases, results and sockets", async () => {
  server = await startDonorServer();
  const registry = new Registry();
  observeWork(registry, { ...server, fleet: fleetReporter(server.dispatcher, server.costModel, Date.now) });
  await server.openStage(10);
  const donor = connectDonor(server.url);
  await donor.hello();
  const { leases } = await donor.lease();
  const [first, ...rest] = leases;
  expect(await donor.submit(first!, rightResult(first!))).toBe("accepted");
  expect(await donor.submit(first!, rightResult(first!))).toMatch(/already_accepted|lease_expired/);
  donor.socket.emit("no:such", {}, null, () => {});
  await server.gateway.events.once("socket:offence");

  const text = await registry.metrics();
  expect(text).toContain("flux_donors_online 1");
  expect(text).toContain('flux_results_accepted_total{runtime="ort-wasm"} 1');
  expect(text).toContain(`flux_units_accepted_total ${first!.unitCount}`);
  expect(text).toMatch(/flux_results_refused_total\{code="\w+"\} 1/);
  expect(text).toContain('flux_socket_offences_total{what="unknown event"} 1');
  expect(text).toContain(`flux_leases_granted_total{reissue="false"} ${leases.length}`);
  expect(text).toContain(`flux_leases_held ${rest.length}`);
  expect(text).toContain('flux_predictions_observed{device_class="all"} 1');
  expect(text).toContain('flux_predictions_observed{device_class="4-cores threads"} 1');
  donor.close();
});

it("each idle donor and each waiting job has a reason in words, in the report, the metrics and on the donor's socket", async () => {
  server = await startDonorServer();
  const registry = new Registry();
  const fleet = fleetReporter(server.dispatcher, server.costModel, Date.now);
  observeWork(registry, { ...server, fleet });
  const donor = connectDonor(server.url);
  await donor.hello();
  const told: string[] = [];
  const heard = (count: number) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (told.length >= count) resolve();
      };
      donor.socket.on("lease:waiting", check);
      check();
    });
  donor.socket.on("lease:waiting", ({ why }: { why: string }) => told.push(why));
  const answer = donor.lease().catch((error: unknown) => error);
  await heard(1);
  const stage = await server.openStage(10, { plan: { regions: { allow: ["NO"], prefer: [] } } });
  await heard(2);
  expect(told).toEqual([
    "no job is waiting for work",
    "1 job waits, of which 1 may not leave regions that this donor is not in",
  ]);

  const report = FleetReport.parse(fleet());
  expect(report).toMatchObject({ donors_online: 1, donors_idle: 1 });
  expect(report.idle_because).toEqual([{ reason: "region", why: told[1], donors: 1 }]);
  expect(report.jobs).toEqual([{ standing: "no-donor-may", jobs: 1, example: "waiting: 1 donor online, none in NO" }]);
  expect(server.dispatcher.progress(stage.jobId)?.why).toBe("waiting: 1 donor online, none in NO");
  const text = await registry.metrics();
  expect(text).toContain('flux_donors_idle{reason="region"} 1');
  expect(text).toContain('flux_jobs_standing{standing="no-donor-may"} 1');
  donor.close();
  await answer;
});
