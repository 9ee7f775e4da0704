/**
 * `npm run bench:dispatch`: microtasks leased, committed (SQLite, synchronous FULL) and acknowledged a second, over real
 * sockets, with the load generator on the same machine; the latency of leases at half that rate; and what idle donors cost.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { connectDonors, type Donor, load, quantile } from "./dispatch/load.ts";

const DONORS = 500;
const IDLE_DONORS = 2_000;
const QUICK = process.argv.includes("--quick");
const RUNS = QUICK ? 1 : 3;
const SECONDS = QUICK ? 4 : 8;

const Stats = z.object({
  accepted: z.number(),
  cpuMs: z.number(),
  rssBytes: z.number(),
  loopP99Ms: z.number(),
  loopMaxMs: z.number(),
  sockets: z.number(),
});

class Coordinator {
  readonly #folder = mkdtempSync(join(tmpdir(), "flux-bench-"));
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  port = 0;

  constructor() {
    const script = new URL("./dispatch/server.ts", import.meta.url).pathname;
    const profile = process.env.FLUX_BENCH_PROFILE ? ["--cpu-prof", "--cpu-prof-dir=bench-results"] : [];
    this.#child = spawn(process.execPath, ["--expose-gc", ...profile, script, this.#folder], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async start(): Promise<void> {
    this.port = z.object({ port: z.number() }).parse(await this.#line()).port;
  }

  async open(microtasks: number): Promise<number> {
    return z.object({ openedAtMs: z.number() }).parse(await this.#ask({ do: "open", microtasks })).openedAtMs;
  }

  async stats() {
    return Stats.parse(await this.#ask({ do: "stats" }));
  }

  async rows(): Promise<number> {
    return z.object({ rows: z.number() }).parse(await this.#ask({ do: "rows" })).rows;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    await ended;
    rmSync(this.#folder, { recursive: true });
  }

  #ask(command: object): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    return this.#line();
  }

  async #line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the coordinator's process ended");
    return JSON.parse(value);
  }
}

const ms = (value: number) => value.toFixed(1).padStart(8);
const median = (values: readonly number[]) => quantile(values, 0.5);

async function measure(coordinator: Coordinator, donors: readonly Donor[], bundle: number, perSecond?: number) {
  const before = await coordinator.stats();
  const ownBefore = process.cpuUsage();
  const report = await load(donors, { bundle, seconds: SECONDS, ...(perSecond === undefined ? {} : { perSecond }) });
  const own = process.cpuUsage(ownBefore);
  const after = await coordinator.stats();
  return {
    bundle,
    perSecond: report.perSecond,
    refused: report.refused,
    leaseP50Ms: quantile(report.leaseMs, 0.5),
    leaseP99Ms: quantile(report.leaseMs, 0.99),
    resultP99Ms: quantile(report.resultMs, 0.99),
    serverCpuMicrosecondsEach: (1_000 * (after.cpuMs - before.cpuMs)) / Math.max(1, after.accepted - before.accepted),
    loadCpuMicrosecondsEach: (own.user + own.system) / Math.max(1, report.acknowledged),
    loopP99Ms: after.loopP99Ms,
  };
}
type Measured = Awaited<ReturnType<typeof measure>>;

function print(what: string, run: Measured): void {
  console.log(
    `${what.padEnd(30)}${run.perSecond.toFixed(0).padStart(8)}/s  lease p50${ms(run.leaseP50Ms)}  p99${ms(run.leaseP99Ms)} ms` +
      `  result p99${ms(run.resultP99Ms)} ms  CPU each: coordinator${ms(run.serverCpuMicrosecondsEach)} µs, load${ms(run.loadCpuMicrosecondsEach)} µs` +
      `  loop p99${ms(run.loopP99Ms)} ms${run.refused > 0 ? `  REFUSED ${run.refused}` : ""}`,
  );
}

async function throughput() {
  const coordinator = new Coordinator();
  await coordinator.start();
  const donors = await connectDonors(coordinator.port, DONORS);
  await coordinator.open(1_500_000);
  console.log(`${DONORS} donors over WebSockets, empty work, ${SECONDS} s a run, everything on this machine\n`);
  print("warm-up", await measure(coordinator, donors, 8));
  const closed: Record<number, Measured[]> = {};
  for (const bundle of [1, 8]) {
    closed[bundle] = [];
    for (let run = 0; run < RUNS; run++) {
      const measured = await measure(coordinator, donors, bundle);
      closed[bundle].push(measured);
      print(`bundles of ${bundle}, run ${run + 1}`, measured);
    }
  }
  const rate = median(closed[8]!.map(({ perSecond }) => perSecond));
  const half: Measured[] = [];
  for (let run = 0; run < RUNS; run++) {
    const measured = await measure(coordinator, donors, 8, rate / 2);
    half.push(measured);
    print(`half of that rate, run ${run + 1}`, measured);
  }
  const { accepted } = await coordinator.stats();
  const rows = await coordinator.rows();
  console.log(`\n${accepted} acknowledged, ${rows} rows in the database`);
  if (rows !== accepted) throw new Error("acknowledged results are missing from the database");
  for (const { socket } of donors) socket.disconnect();
  await coordinator.stop();
  return { closed, half, rate };
}

async function idle() {
  const coordinator = new Coordinator();
  await coordinator.start();
  const before = await coordinator.stats();
  const donors = await connectDonors(coordinator.port, IDLE_DONORS);
  const request = { wantMs: 3_000, memoryBytes: 2 ** 29, runtimes: ["ort-wasm" as const], cached: [] };
  const firstLease = new Promise<number>((resolve) => {
    for (const donor of donors) {
      donor.request("lease:request", request).then((answer) => {
        if (answer.ok && answer.value.kind === "bundle") resolve(Date.now());
      });
    }
  });
  await coordinator.stats();
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const waiting = await coordinator.stats();
  const openedAtMs = await coordinator.open(100);
  const firstMs = (await firstLease) - openedAtMs;
  const bytesPerSocket = (waiting.rssBytes - before.rssBytes) / IDLE_DONORS;
  console.log(
    `\n${waiting.sockets} idle donors, all waiting for work: ${(bytesPerSocket / 1024).toFixed(1)} KiB a socket, ` +
      `event loop p99 ${waiting.loopP99Ms.toFixed(1)} ms, max ${waiting.loopMaxMs.toFixed(1)} ms; ` +
      `a job reaches its first donor after ${firstMs} ms`,
  );
  for (const { socket } of donors) socket.disconnect();
  await coordinator.stop();
  return { sockets: waiting.sockets, bytesPerSocket, loopP99Ms: waiting.loopP99Ms, firstLeaseMs: firstMs };
}

const results = { ...(await throughput()), idle: await idle() };
mkdirSync("bench-results", { recursive: true });
writeFileSync("bench-results/dispatch.json", `${JSON.stringify(results, null, 2)}\n`);
console.log(`\nMedian of ${RUNS}: ${results.rate.toFixed(0)} microtasks/s (BOINC's published server: 102/s)`);
process.exit(0);
