import { Registry } from "prom-client";
import { afterEach, expect, it } from "vitest";
import { observeWork } from "#lib/coordinator/work-metrics.ts";
import { rightResult } from "./dispatch/harness.ts";
import { connectDonor, type DonorServer, startDonorServer } from "./gateway/donor-server.ts";

let server: DonorServer;
afterEach(() => server.close());

it("metrics say what happened to leases, results and sockets", async () => {
  server = await startDonorServer();
  const registry = new Registry();
  observeWork(registry, server.dispatcher, server.gateway);
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
  donor.close();
});
