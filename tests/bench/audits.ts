/**
 * `npm run bench:audits`: what checking encrypted results costs beside computing them. One batch of the trained network (of a fixed
 * ring, where its file is not here), computed by two newcomers in microtasks as large as a frame carries; each result is audited by the
 * coordinator's own audit thread, which has seen no program yet: the worst case, a short job of strangers. CPU time on both
 * sides, so that what else runs on the machine does not matter.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import type { AuditItem, AuditReply, AuditRequest } from "#lib/coordinator/encrypted/lane-audit.worker.ts";
import { startThread } from "#lib/coordinator/thread.ts";
import { lanesToAudit } from "#lib/integrity/lane-audit.ts";
import { sampleUnits } from "#lib/integrity/sampling.ts";
import { packedLanes } from "#lib/lanes/audit.ts";
import { laneBytes, parsePayload } from "#lib/lanes/block.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { encodeProgram, programDigest } from "#lib/lanes/program-codec.ts";
import { Digest } from "#lib/protocol/ids.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import { networks } from "./lanes/networks.ts";
import { randomPayload, SEED } from "./lanes/payload.ts";

/** Odd, for a median; the kernel counts CPU time in ticks of 4 ms, of which an audit takes a handful. */
const ROUNDS = 15;
const DONORS = 2;
/** Results that reach the audit thread together. */
const TOGETHER = 4;

const [network] = await networks();
if (!network) throw new Error("there is no network to measure");
const { program, name } = network;
const bytes = encodeProgram(program);
const digest = Digest.parse(await programDigest(bytes));
console.log(
  `${name}, N = ${program.ring.n}: ${program.ring.n * program.ring.primes.length} lanes by ${DONORS} newcomers`,
);
console.log("round   donors CPU ms   audits CPU ms   lanes audited   share");
const rounds: { donorMs: number; auditMs: number; lanes: number }[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const measured = await measureBatch();
  // The first compiles the donor's code.
  if (round > 0) rounds.push(measured);
  const share = (100 * measured.auditMs) / measured.donorMs;
  const cells = [
    measured.donorMs.toFixed(0),
    measured.auditMs.toFixed(1),
    String(measured.lanes),
    `${share.toFixed(2)} %`,
  ];
  console.log(
    [(round === 0 ? "warm-up" : String(round)).padEnd(7), ...cells.map((cell) => cell.padStart(15))].join(" "),
  );
}
const shares = rounds.map(({ auditMs, donorMs }) => auditMs / donorMs).sort((a, b) => a - b);
console.log(`\nmedian ${(100 * shares[ROUNDS >> 1]!).toFixed(2)} % of the donors' compute (wanted: at most 2 %)`);
mkdirSync("bench-results", { recursive: true });
writeFileSync("bench-results/audits.json", `${JSON.stringify({ network: name, rounds }, null, 2)}\n`);

async function measureBatch() {
  const evaluator = await laneSimdRuntime.prepare(program);
  const thread = startThread(new URL("../../lib/coordinator/encrypted/lane-audit.worker.ts", import.meta.url));
  // It answers when its self-test is over, as it is when a server has been up for a second.
  await ask(thread, { programs: [], items: [] });
  let known = false;
  let donorMs = 0;
  let auditMs = 0;
  let lanes = 0;
  let waiting: AuditItem[] = [];
  const send = async (): Promise<void> => {
    const reply = await ask(thread, { programs: known ? [] : [{ digest, bytes }], items: waiting });
    known = true;
    waiting = [];
    for (const verdict of reply.verdicts) {
      if (!verdict.right) throw new Error(`an honest result was refused: ${verdict.detail}`);
      auditMs += verdict.checkCpuMs ?? 0;
      lanes += verdict.checkedUnits;
    }
    if (reply.failure) throw new Error(reply.failure);
  };
  let index = 0;
  for (const run of microtasks(program)) {
    const payload = await randomPayload(program, run);
    const before = process.threadCpuUsage();
    const result = await runLanes(program, evaluator, payload);
    const { user, system } = process.threadCpuUsage(before);
    donorMs += (user + system) / 1000;
    const wanted = lanesToAudit(run.laneCount, { accepted: Math.floor(index++ / DONORS), refused: 0 });
    const chosen = sampleUnits(run.laneCount, wanted, randomInt);
    const { body } = parsePayload(payload, program.ring, program.inputs);
    const packed = packedLanes(body, program.ring.primes[run.primeIndex]!, program.inputs, chosen);
    waiting.push({ program: digest, seed: SEED, run, lanes: chosen, packed, result });
    if (waiting.length === TOGETHER) await send();
  }
  if (waiting.length > 0) await send();
  await thread.terminate();
  return { donorMs, auditMs, lanes };
}

function microtasks({ ring, inputs }: LaneProgram): LaneRun[] {
  return ring.primes.flatMap((prime, primeIndex) => {
    const count = Math.ceil((ring.n * laneBytes(prime, inputs)) / SOCKET_LIMITS.payloadBytes);
    const laneCount = ring.n / count;
    return Array.from({ length: count }, (_, i): LaneRun => {
      const firstLane = Math.floor(i * laneCount);
      return { primeIndex, firstLane, laneCount: Math.floor((i + 1) * laneCount) - firstLane };
    });
  });
}

async function ask(thread: ReturnType<typeof startThread>, request: AuditRequest): Promise<AuditReply> {
  const answer = once(thread, "message");
  thread.postMessage(request);
  const [reply]: AuditReply[] = await answer;
  if (!reply) throw new Error("the audit thread gave no answer");
  return reply;
}
