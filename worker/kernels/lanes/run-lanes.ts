/**
 * One encrypted microtask on a donor: the payload's bytes in, the result's bytes out.
 *
 * The run is cut into chunks of lanes, by time: a lane takes 20 µs of a small network and milliseconds of a large one. While one
 * chunk is computed the next one's mask is already being expanded (WebCrypto works beside this thread), and memory holds two
 * chunks per thread, whatever the payload's size.
 */
import { encodeResult, type LanePayload, parsePayload } from "#lib/lanes/block.ts";
import type { LaneChunk, LaneEvaluator } from "#lib/lanes/evaluator.ts";
import { importMaskSeed, type MaskKey, maskStreams } from "#lib/lanes/mask.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";

/** Awaited after each chunk with the lanes done so far: rests, tells progress, and rejects where the work was given up. */
export type BetweenChunks = (lanesDone: number) => Promise<void> | void;

/** Lanes of the first chunk, which shows how long a lane takes here. */
const FIRST_LANES = 8;
/** Long enough that a chunk's overhead is lost in it, short enough to rest and to be stopped between chunks. */
const CHUNK_MS = 50;

/**
 * Evaluates a payload. Throws FluxError("ciphertext_invalid") if the payload is malformed or for another program; the evaluator
 * must have been prepared with the same program.
 */
export async function runLanes(
  program: LaneProgram,
  evaluator: LaneEvaluator,
  payloadBytes: Uint8Array,
  betweenChunks: BetweenChunks = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const payload = parsePayload(payloadBytes, program.ring, program.inputs);
  const { run } = payload;
  const key = await importMaskSeed(payload.seed);
  const perLane = program.polysOut * program.outputs;
  const residues = new Uint32Array(run.laneCount * perLane);

  let chunkLanes = Math.min(FIRST_LANES, evaluator.maxLanes);
  let opened = 0;
  const openNext = (): Opened | undefined => {
    if (opened === run.laneCount) return undefined;
    const lane = opened;
    const laneCount = Math.min(chunkLanes, run.laneCount - lane);
    opened += laneCount;
    const chunk = openChunk(payload, key, lane, laneCount);
    // It is awaited later, and its failure reported there.
    chunk.catch(ignore);
    return { lane, chunk };
  };

  let done = 0;
  let pause: Promise<void> = Promise.resolve();
  const work = async (): Promise<void> => {
    let next = openNext();
    while (next !== undefined) {
      const { lane, chunk: opening } = next;
      next = openNext();
      const chunk = await opening;
      const startedMs = performance.now();
      residues.set(await evaluator.evaluate(chunk), lane * perLane);
      const laneMs = (performance.now() - startedMs) / chunk.laneCount;
      chunkLanes = Math.max(1, Math.min(evaluator.maxLanes, Math.floor(CHUNK_MS / laneMs)));
      done += chunk.laneCount;
      const lanesDone = done;
      // One pause at a time, also where several chunks are under way.
      pause = pause.then(() => betweenChunks(lanesDone));
      await pause;
    }
  };
  await Promise.all(Array.from({ length: evaluator.concurrency ?? 1 }, work));
  return encodeResult(program, run, residues);
}

interface Opened {
  /** Counted from the run's first. */
  readonly lane: number;
  readonly chunk: Promise<LaneChunk>;
}

async function openChunk(payload: LanePayload, key: MaskKey, firstLane: number, laneCount: number): Promise<LaneChunk> {
  const { run, modulus, features, body } = payload;
  const laneBytes = body.length / run.laneCount;
  const mask = await maskStreams(key, modulus, features, {
    primeIndex: run.primeIndex,
    firstLane: run.firstLane + firstLane,
    laneCount,
  });
  const packed = body.subarray(firstLane * laneBytes, (firstLane + laneCount) * laneBytes);
  return { primeIndex: run.primeIndex, laneCount, packed, mask };
}

function ignore(): void {}
