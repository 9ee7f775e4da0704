/**
 * No policy can be faster: the larger of total work ÷ total speed and the critical path.
 *
 * Total speed is what the honest donors that are online and visible can sustain with fetching and computing overlapped,
 * integrated over the very schedule of the run; no round trips, no overhead, no artefacts, perfect knowledge. With region
 * rules the bound holds for every set of jobs on the donors that may have any of them, and the largest counts.
 */
import { compileRegions, regionAllows } from "#lib/scheduling/regions.ts";
import type { Device } from "./fleet.ts";
import type { Scenario } from "./scenario.ts";

/** @param untilMs a time that is certainly enough (the makespan of some run) */
export function lowerBoundMs(scenario: Scenario, devices: readonly Device[], untilMs: number): number {
  const { unit } = scenario;
  const honest = devices.filter((device) => !device.liar);
  const groups = jobsByRegion(scenario);
  let bound = criticalPathMs(scenario, honest);
  for (let set = 1; set < 1 << groups.length; set++) {
    const members = groups.filter((_, g) => set & (1 << g));
    const units = members.reduce((sum, group) => sum + group.units, 0);
    const fromMs = Math.min(...members.map((group) => group.fromMs));
    const donors = honest.filter((device) => members.some(({ allowed }) => regionAllows(allowed, device.country)));
    const done = (atMs: number) => donors.reduce((sum, device) => sum + unitsUntil(device, unit, fromMs, atMs), 0);
    let low = fromMs;
    let high = untilMs;
    for (let step = 0; step < 30; step++) {
      const middle = (low + high) / 2;
      if (done(middle) < units) low = middle;
      else high = middle;
    }
    bound = Math.max(bound, high);
  }
  return bound;
}

interface Group {
  readonly allowed: ReadonlySet<string> | null;
  units: number;
  fromMs: number;
}

/** Jobs under the same rule are one amount of work. */
function jobsByRegion({ jobs }: Scenario): Group[] {
  const groups = new Map<string, Group>();
  for (const { regions, units, startAtMs } of jobs) {
    const key = (regions?.allow ?? []).join(" ");
    const group = groups.get(key);
    if (group) {
      group.units += units;
      group.fromMs = Math.min(group.fromMs, startAtMs ?? 0);
    } else groups.set(key, { allowed: compileRegions(regions ?? null).allowed, units, fromMs: startAtMs ?? 0 });
  }
  return [...groups.values()];
}

/** The artefact and one unit, there and back, on the donor that is soonest. */
function criticalPathMs({ unit }: Scenario, devices: readonly Device[]): number {
  return Math.min(
    ...devices.map(
      (device) =>
        device.session(0).fromMs +
        device.rttMs +
        (unit.artefactBytes + unit.bytesIn) / device.downBytesPerMs +
        (1000 * unit.macs) / device.macsPerSecond +
        unit.bytesOut / device.upBytesPerMs,
    ),
  );
}

function unitsUntil(device: Device, unit: Scenario["unit"], fromMs: number, untilMs: number): number {
  const visible = device.unitsPerMs(unit, true);
  const hidden = device.unitsPerMs(unit, false);
  let units = 0;
  for (let i = 0; ; i++) {
    const session = device.session(i);
    if (session.fromMs >= untilMs) return units;
    units += visible * overlap(session, fromMs, untilMs);
    for (const interval of session.hidden) {
      if (interval.fromMs >= untilMs) break;
      units -= (visible - hidden) * overlap(interval, fromMs, untilMs);
    }
  }
}

function overlap(interval: { fromMs: number; toMs: number }, fromMs: number, untilMs: number): number {
  return Math.max(0, Math.min(interval.toMs, untilMs) - Math.max(interval.fromMs, fromMs));
}
