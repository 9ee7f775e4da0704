/**
 * `npm run bench:simulation`: the simulator at full size (10,000 donors, 1,000,000 microtasks; the bar is 60 s of real
 * time), and the cost of one choice by the number of open stages.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import type { DonorId, JobId, LeaseId, MicrotaskId, StageId, TenantId } from "#lib/protocol/ids.ts";
import { Board } from "#lib/scheduling/board.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { fifoPolicy } from "#lib/scheduling/fifo.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import type { DonorView, Policy } from "#lib/scheduling/types.ts";
import { median } from "#tests/simulation/run.ts";
import { scale } from "#tests/simulation/scenarios/scale.ts";
import { simulate } from "#tests/simulation/simulator.ts";

const STAGES = [1, 10, 100, 1_000];
const DONORS = 1_000;
const REQUESTS = 20_000;
const RUNS = 5;

const choices = STAGES.map((stages) => {
  const micros = (make: () => Policy) => {
    const runs = Array.from({ length: RUNS + 1 }, () => choiceMicroseconds(make(), stages));
    return median(runs.slice(1));
  };
  const row = { stages, flux: micros(createPolicy), fifo: micros(() => fifoPolicy) };
  console.log(
    `${String(stages).padStart(5)} open stages: choose + lease + accept ${row.flux.toFixed(1)} µs (first in, first out: ${row.fifo.toFixed(1)} µs, ratio ${(row.flux / row.fifo).toFixed(2)})`,
  );
  return row;
});

const cpuBefore = process.cpuUsage();
const outcome = simulate(scale, 1, createPolicy());
const cpu = process.cpuUsage(cpuBefore);
const cpuSeconds = (cpu.user + cpu.system) / 1e6;
console.log(
  `${scale.title}: ${(outcome.realMs / 1000).toFixed(1)} s of real time (bar: 60 s; ${cpuSeconds.toFixed(1)} s of processor time) for ${(outcome.makespanMs / 1000).toFixed(1)} s of virtual time; ` +
    `${outcome.microtasks} microtasks after carving, ${outcome.choices} choices at ${outcome.choiceMicroseconds.toFixed(1)} µs; ` +
    `makespan ${outcome.ratio.toFixed(3)} × the lower bound, ${(100 * outcome.wastedShare).toFixed(2)} % wasted, ` +
    `${(100 * outcome.bundlesInTime).toFixed(1)} % of bundles ≤ 3 s`,
);
mkdirSync("bench-results", { recursive: true });
writeFileSync("bench-results/simulation.json", JSON.stringify({ choices, scale: outcome, cpuSeconds }, null, 2));

/** Per microtask: a thousand donors ask, lease and deliver in turn. */
function choiceMicroseconds(policy: Policy, stages: number): number {
  let serial = 0;
  const costModel = createCostModel();
  const board = new Board({ newMicrotaskId: () => `mt_${serial++}` as MicrotaskId });
  for (let s = 0; s < stages; s++) {
    const id = `stg_${s}` as StageId;
    board.addStage({
      id,
      jobId: `job_${s}` as JobId,
      submitterId: `ten_${s % 50}` as TenantId,
      weight: 1,
      priority: 0,
      deadlineAtMs: null,
      createdAtMs: s,
      regions: s % 3 === 1 ? { allow: ["EU"], prefer: ["DE"] } : null,
      groupId: null,
      minReliability: 0,
      kernel: "lanes",
      runtimes: ["ort-wasm"],
      artefacts: [],
      unitBytesIn: 3_140,
      unitBytesOut: 200,
      unitMacs: 5e6,
      residentBytes: 1e6,
    });
    for (let m = 0; m < (4 * REQUESTS) / stages; m++) {
      board.addMicrotask(id, { id: `mt_${serial++}` as MicrotaskId, unitStart: m * 1_300, unitCount: 1_300 });
    }
  }
  const donors: DonorView[] = Array.from({ length: DONORS }, (_, d) => ({
    id: `don_${d}` as DonorId,
    deviceClass: `class ${d % 6}`,
    runtimes: [{ runtime: "ort-wasm", int8MacsPerSecond: 1e9 * (1 + (d % 40)), float32MacsPerSecond: 1e9 }],
    benchmarkDownBytesPerSecond: 2e7,
    connectedAtMs: 0,
    country: d % 2 === 0 ? "DE" : "US",
    groupIds: new Set(),
    memoryBytes: 5e8,
    heldBytes: 0,
    cached: new Set(),
    visible: true,
    cpuShare: 1,
    gpuShare: 1,
    reliability: 1,
    busyUntilMs: 0,
  }));
  for (const donor of donors) board.join(donor);
  const startedAt = performance.now();
  for (let r = 0; r < REQUESTS; r++) {
    const nowMs = r * 0.3;
    const donor = donors[r % DONORS] as DonorView;
    donor.busyUntilMs = 0;
    const decision = policy.choose({ nowMs, board, costModel, donor, wantMs: 1_000, maxLeases: 1 });
    if (decision.kind === "idle") throw new Error(decision.why);
    const [outcome] = board.lease(decision.leases, donor, () => `ls_${serial++}` as LeaseId, nowMs);
    if (outcome) board.accept(outcome.attempt, outcome.attempt.predictedMs);
  }
  return (1000 * (performance.now() - startedAt)) / REQUESTS;
}
