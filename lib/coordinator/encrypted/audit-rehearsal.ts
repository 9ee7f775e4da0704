/**
 * Before the audit thread judges anybody: its kernel's self-test, and some audits of a made-up program whose answers are known,
 * through the same functions as real ones. A thread also runs several times faster once its code is compiled: without this, the first
 * audits of a short job cost as much as the rest (25 ms of CPU of 43; `npm run bench:audits`).
 */
import { auditLanes, type MaskSource, packedLanes } from "#lib/lanes/audit.ts";
import { laneBytes, packLanes, parsePayload, parseResultLanes, payloadHeader } from "#lib/lanes/block.ts";
import { expandMask, importMaskSeed } from "#lib/lanes/mask.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { decodeProgram, encodeProgram } from "#lib/lanes/program-codec.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { findLaneFault, selfTestProgram } from "#worker/kernels/lanes/self-test.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";

const LANES = 64;
const AUDITED = [3, 5, 17, 40, 63];
/** After about this many, an audited lane costs what it costs ever after. */
const TIMES = 24;
const SEED = new Uint8Array(16).fill(1);

/** Throws if this machine's audits are not to be trusted. */
export async function rehearseAudits(masks: MaskSource): Promise<void> {
  const fault = await findLaneFault(laneSimdRuntime);
  if (fault !== undefined) throw new Error(`the lane kernel is wrong on this machine: ${fault}`);
  const encoded = encodeProgram(selfTestProgram());
  for (let time = 0; time < TIMES; time++) {
    const program = decodeProgram(encoded);
    const evaluator = await laneSimdRuntime.prepare(program);
    const run = { primeIndex: time % program.ring.primes.length, firstLane: 8, laneCount: LANES };
    const payload = await madeUpPayload(program, run);
    const result = await runLanes(program, evaluator, payload);
    const { body } = parsePayload(payload, program.ring, program.inputs);
    const packed = packedLanes(body, program.ring.primes[run.primeIndex]!, program.inputs, AUDITED);
    const returned = parseResultLanes(result, program, run, AUDITED);
    const lie = returned.slice();
    lie[0] = lie[0] === 0 ? 1 : 0;
    const item = { run, seed: SEED, lanes: AUDITED, packed };
    const found = await auditLanes(program, evaluator, masks, [
      { ...item, residues: returned },
      { ...item, residues: lie },
    ]);
    if (found[0]?.length !== 0 || found[1]?.[0] !== AUDITED[0]) {
      throw new Error(`audits are wrong on this machine: they found ${JSON.stringify(found)}`);
    }
    await evaluator.dispose();
  }
}

/** Its residues are another mask's: as random as a ciphertext's. */
async function madeUpPayload(program: LaneProgram, run: LaneRun): Promise<Uint8Array<ArrayBuffer>> {
  const q = program.ring.primes[run.primeIndex]!;
  const header = payloadHeader(program.ring, program.inputs, run, SEED);
  const payload = new Uint8Array(header.length + run.laneCount * laneBytes(q, program.inputs));
  payload.set(header);
  const planes = await expandMask(await importMaskSeed(new Uint8Array(16).fill(2)), q, program.inputs, run);
  packLanes(planes, q, program.inputs, payload.subarray(header.length));
  return payload;
}
