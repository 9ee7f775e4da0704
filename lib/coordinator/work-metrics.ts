/** Metrics of donors, leases and results: listeners on the dispatcher's and the gateway's events, and nothing else. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { FleetReporter } from "./fleet-report.ts";
import type { Gateway } from "./gateway/gateway.ts";

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 3, 10, 60];

export interface Observed {
  readonly dispatcher: Dispatcher;
  readonly gateway: Gateway;
  readonly fleet: FleetReporter;
}

export function observeWork(registry: Registry, { dispatcher, gateway, fleet }: Observed): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge("flux_donors_online", "Donors that said hello", () => dispatcher.donorsOnline);
  gauge("flux_donor_sockets", "Open donor sockets", () => gateway.openSockets());
  gauge("flux_leases_held", "Leases in donors' hands or being checked", () => dispatcher.leasesHeld);
  gauge("flux_jobs_open", "Jobs with open stages", () => dispatcher.jobsOpen);

  observeFleet(registry, fleet);

  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string) => new Histogram({ name, help, buckets: SECONDS, registers });

  const granted = counter("flux_leases_granted_total", "Leases granted", ["reissue"]);
  const waited = histogram("flux_lease_wait_seconds", "From a donor's request for work to its lease");
  dispatcher.events.on("lease:granted", ({ reissue, waitedMs }) => {
    granted.inc({ reissue: String(reissue) });
    waited.observe(waitedMs / 1000);
  });
  const ended = counter("flux_leases_ended_total", "Leases that ended without an accepted result", ["how"]);
  dispatcher.events.on("lease:ended", ({ how }) => ended.inc({ how }));

  const accepted = counter("flux_results_accepted_total", "Results accepted and committed", ["runtime"]);
  const units = counter("flux_units_accepted_total", "Records or lanes in accepted results");
  const checked = counter(
    "flux_units_checked_total",
    "Records or lanes that were recomputed before a result was accepted",
  );
  const bytes = counter("flux_result_bytes_total", "Bytes of accepted results");
  const donorSeconds = counter("flux_donor_compute_seconds_total", "Seconds that donors computed for accepted results");
  const check = histogram("flux_check_seconds", "Recomputing the sample of a result, waiting included");
  const commit = histogram("flux_commit_seconds", "From a passed check to the commit of the result");
  dispatcher.events.on("result:accepted", (result) => {
    accepted.inc({ runtime: result.runtime });
    units.inc(result.units);
    checked.inc(result.checkedUnits);
    bytes.inc(result.bytes);
    donorSeconds.inc(result.computeMs / 1000);
    check.observe(result.checkMs / 1000);
    commit.observe(result.commitMs / 1000);
  });
  const refused = counter("flux_results_refused_total", "Results that were refused", ["code"]);
  dispatcher.events.on("result:refused", ({ code }) => refused.inc({ code }));
  const quarantined = counter("flux_microtasks_quarantined_total", "Microtasks given up after failing too often");
  dispatcher.events.on("microtask:quarantined", () => quarantined.inc());
  const banned = counter("flux_donors_banned_total", "Donors banned for wrong results");
  dispatcher.events.on("donor:banned", () => banned.inc());

  const offences = counter("flux_socket_offences_total", "Frames that fit no schema, or out of order", ["what"]);
  gateway.events.on("socket:offence", ({ what }) => offences.inc({ what }));
  const dropped = counter("flux_sockets_dropped_total", "Donor sockets that the coordinator closed", ["why"]);
  gateway.events.on("socket:dropped", ({ why }) => dropped.inc({ why }));
  const turnedAway = counter("flux_sockets_refused_total", "Donor sockets refused at the handshake", ["why"]);
  gateway.events.on("socket:refused", ({ why }) => turnedAway.inc({ why }));
}

/** Why donors and jobs wait, and how honest predictions are: the API's report (GET /fleet) as gauges. */
function observeFleet(registry: Registry, fleet: FleetReporter): void {
  const labelled = <Label extends string>(
    name: string,
    help: string,
    label: Label,
    read: () => (readonly [string, number])[],
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, n] of read()) this.inc({ [label]: value } as Record<Label, string>, n);
      },
    });
  labelled("flux_donors_idle", "Donors with nothing to do, by the reason", "reason", () =>
    fleet().idle_because.map(({ reason, donors }) => [reason, donors]),
  );
  labelled("flux_jobs_standing", "Jobs with work left, by where they stand", "standing", () =>
    fleet().jobs.map(({ standing, jobs }) => [standing, jobs]),
  );
  labelled("flux_predictions_within80", "Share of outcomes inside their 80 % interval", "device_class", () => {
    const { classes, within_80 } = fleet().predictions;
    return [["all", within_80] as const, ...classes.map((one) => [one.device_class, one.within_80] as const)];
  });
  labelled("flux_predictions_observed", "Outcomes that were held against their interval", "device_class", () => {
    const { classes, observations } = fleet().predictions;
    return [["all", observations] as const, ...classes.map((one) => [one.device_class, one.observations] as const)];
  });
  labelled("flux_bundles", "Finished bundles, by whether they kept three seconds", "in_time", () => {
    const { finished, in_time } = fleet().bundles;
    return [
      ["yes", in_time],
      ["no", finished - in_time],
    ];
  });
}
