/**
 * The fast audit evaluator: recomputes chosen lanes of returned results and compares them bit for bit.
 *
 * Audited lanes of many results of one program go through the evaluator together, prime by prime, so that an audited lane costs what
 * a lane costs a donor. Which lanes are chosen is lib/integrity's business. Verified outsourcing of exact arithmetic, in the
 * spirit of Slalom (Tramèr and Boneh, arXiv 1806.03287), by recomputing a sample instead of Freivalds' check: a lane is so cheap
 * that a probabilistic check of it would cost as much.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { checkRun, laneBytes } from "./block.ts";
import type { LaneChunk, LaneEvaluator } from "./evaluator.ts";
import type { MaskStreams } from "./mask.ts";
import type { LaneProgram, LaneRun } from "./program.ts";

/** One result under audit. */
export interface AuditedResult {
  readonly run: LaneRun;
  /** The batch's public mask seed. */
  readonly seed: Uint8Array;
  /** Chosen lanes, counted from the run's first. */
  readonly lanes: readonly number[];
  /** Their packed bytes, in the order of `lanes`: what the payload held (lib/lanes/block.ts). */
  readonly packed: Uint8Array;
  /** What the donor returned for them, parsed: residues `[lane][poly][output]` below the prime, in the order of `lanes`. */
  readonly residues: Uint32Array;
}

/** Key streams of scattered lanes (indices in the ring), one after the other: `scatteredMasksNode` on a server. */
export type MaskSource = (
  seed: Uint8Array,
  q: number,
  features: number,
  primeIndex: number,
  lanes: readonly number[],
) => MaskStreams | Promise<MaskStreams>;

/** Takes the chosen lanes' bytes out of a payload's body. */
export function packedLanes(body: Uint8Array, q: number, features: number, lanes: readonly number[]): Uint8Array {
  const bytes = laneBytes(q, features);
  const packed = new Uint8Array(lanes.length * bytes);
  lanes.forEach((lane, i) => {
    packed.set(body.subarray(lane * bytes, (lane + 1) * bytes), i * bytes);
  });
  return packed;
}

/**
 * Recomputes the chosen lanes. Returns, per result, the lanes whose residues differ (in the order of `lanes`); empty: none did.
 * Throws FluxError("invalid_request") if an item contradicts itself, which is the caller's mistake and not the donor's.
 */
export async function auditLanes(
  program: LaneProgram,
  evaluator: LaneEvaluator,
  masks: MaskSource,
  results: readonly AuditedResult[],
): Promise<number[][]> {
  for (const result of results) checkResult(program, result);
  const wrong: number[][] = results.map(() => []);
  const perLane = program.polysOut * program.outputs;
  for (const primeIndex of program.ring.primes.keys()) {
    for (const some of cut(results, primeIndex, evaluator.maxLanes)) {
      const expected = await evaluator.evaluate(await gather(program, primeIndex, masks, some));
      let at = 0;
      for (const { index, first, end } of some) {
        const { lanes, residues } = results[index]!;
        for (let i = first; i < end; i++, at += perLane) {
          const returned = residues.subarray(i * perLane, (i + 1) * perLane);
          if (!returned.every((value, v) => value === expected[at + v])) wrong[index]!.push(lanes[i]!);
        }
      }
    }
  }
  return wrong;
}

/** Part of one result's chosen lanes. */
interface Slice {
  readonly index: number;
  readonly result: AuditedResult;
  readonly first: number;
  readonly end: number;
}

/** The chosen lanes of one prime, in chunks of at most `maxLanes`. */
function cut(results: readonly AuditedResult[], primeIndex: number, maxLanes: number): Slice[][] {
  const chunks: Slice[][] = [];
  let room = 0;
  results.forEach((result, index) => {
    if (result.run.primeIndex !== primeIndex) return;
    for (let first = 0; first < result.lanes.length; ) {
      if (room === 0) {
        chunks.push([]);
        room = maxLanes;
      }
      const end = Math.min(result.lanes.length, first + room);
      chunks.at(-1)!.push({ index, result, first, end });
      room -= end - first;
      first = end;
    }
  });
  return chunks;
}

/** One evaluator chunk of lanes from anywhere. */
async function gather(
  program: LaneProgram,
  primeIndex: number,
  masks: MaskSource,
  slices: readonly Slice[],
): Promise<LaneChunk> {
  const q = program.ring.primes[primeIndex]!;
  const bytes = laneBytes(q, program.inputs);
  const packed = slices.map(({ result, first, end }) => result.packed.subarray(first * bytes, end * bytes));
  const streams: MaskStreams[] = [];
  for (const { result, first, end } of slices) {
    const lanes = result.lanes.slice(first, end).map((lane) => result.run.firstLane + lane);
    streams.push(await masks(result.seed, q, program.inputs, primeIndex, lanes));
  }
  return {
    primeIndex,
    laneCount: slices.reduce((sum, { first, end }) => sum + end - first, 0),
    packed: concatenate(packed),
    mask: {
      planes: concatenate(streams.map(({ planes }) => planes)),
      redraws: concatenate(streams.map(({ redraws }) => redraws)),
    },
  };
}

function checkResult(program: LaneProgram, { run, lanes, packed, residues }: AuditedResult): void {
  checkRun(program.ring, run);
  const q = program.ring.primes[run.primeIndex]!;
  const sane =
    packed.length === lanes.length * laneBytes(q, program.inputs) &&
    residues.length === lanes.length * program.polysOut * program.outputs &&
    lanes.every((lane) => Number.isInteger(lane) && lane >= 0 && lane < run.laneCount);
  if (!sane) throw new FluxError("invalid_request", "An audit's lanes, bytes and residues do not fit its run.");
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
