/**
 * One batch of records → the blob of its lane blocks.
 *
 * SEAL encrypts feature by feature (one ciphertext each, one record per slot), donors want lane by lane, and polynomial 1 has to come
 * from a public seed. So, with the secret s in NTT form:
 *
 *   1. per feature: (c0, c1) from SEAL, kept as the phase t = c0 + c1·s, `[prime][feature][lane]` (it is message + noise);
 *   2. per run of lanes: c0' = t − a'·s with the mask a' expanded from the batch's seed, written as packed lanes.
 *
 * (c0', a') is a ciphertext of the same message with the same noise under a fresh uniform mask. A seed must never be used twice:
 * two batches under one mask differ by their messages.
 *
 * Memory: 4 bytes per residue of the phases (103 MB for 784 features, N = 8192, four primes) and one run at a time.
 */
import { laneBytes, limbCount, MASK_SEED_BYTES, packLanes } from "#lib/lanes/block.ts";
import { expandMask, importMaskSeed, type MaskKey } from "#lib/lanes/mask.ts";
import { addProducts, mulModFast, subMod } from "#lib/lanes/modular.ts";
import { encryptedFeatures, type KeyholderPlan } from "#lib/lanes/plan.ts";
import type { LaneRun } from "#lib/lanes/program.ts";
import { checkRecords, encodeFeature, type RecordMatrix } from "./encode.ts";
import type { SealKey } from "./seal.ts";

/** Takes the packed lanes of one run; runs come in the order of the blob, so that appending them makes it. */
export type RunSink = (run: LaneRun, packed: Uint8Array) => void | Promise<void>;

export interface EncryptedBatch {
  /** The public mask seed: goes into every payload header of the batch. */
  readonly seed: Uint8Array;
  readonly records: number;
  /** Values that were outside the calibrated range and were clipped to it. */
  readonly clippedValues: number;
  /** Milliseconds of cores: SEAL's encode + encrypt, summed over threads, and everything after it. */
  readonly timing: { readonly sealMs: number; readonly layoutMs: number };
}

/** Phases of a batch: `[prime]` arrays `[feature][lane]`. Message + noise: as secret as the data. */
export interface BatchPhases {
  readonly phases: readonly Int32Array[];
  readonly clippedValues: number;
  readonly sealMs: number;
}

/** Makes a batch's phases: `encryptPhases` in this thread, or another way to the same. */
export type MakePhases = (
  plan: KeyholderPlan,
  key: SealKey,
  records: RecordMatrix,
) => BatchPhases | Promise<BatchPhases>;

/** Lanes per run: with 784 features the planes and the mask of a run stay within the L2 cache. */
const RUN_LANES = 128;
/** Lanes per tile of the transposition: one 64-byte line of phases. */
const TILE_LANES = 16;

/** Draws a fresh mask seed. */
export function drawMaskSeed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(MASK_SEED_BYTES));
}

/**
 * Encrypts records (at most one per slot) and hands the batch's blob to `sink`, run by run.
 *
 * @param makePhases the part that takes three quarters of the time; a host with idle cores spreads it over threads
 */
export async function encryptBatch(
  plan: KeyholderPlan,
  key: SealKey,
  records: RecordMatrix,
  sink: RunSink,
  seed: Uint8Array = drawMaskSeed(),
  makePhases: MakePhases = encryptPhases,
): Promise<EncryptedBatch> {
  const { phases, clippedValues, sealMs } = await makePhases(plan, key, records);
  const started = performance.now();
  await writeLanes(plan, key, phases, seed, sink);
  const layoutMs = performance.now() - started;
  return { seed, records: records.rows, clippedValues, timing: { sealMs, layoutMs } };
}

/** Step 1: every feature through SEAL, kept as its phase. */
export function encryptPhases(plan: KeyholderPlan, key: SealKey, records: RecordMatrix): BatchPhases {
  const { n, primes } = plan.ring;
  const features = encryptedFeatures(plan);
  const phases = primes.map(() => new Int32Array(features * n));
  const started = performance.now();
  const clippedValues = encryptFeatures(plan, key, records, { first: 0, end: features }, phases);
  return { phases, clippedValues, sealMs: performance.now() - started };
}

/**
 * Step 1 for features first..end: writes their part of the phases, `[prime]` arrays `[feature][lane]` of all features.
 * Returns how many values were clipped.
 */
export function encryptFeatures(
  plan: KeyholderPlan,
  key: SealKey,
  records: RecordMatrix,
  { first, end }: { readonly first: number; readonly end: number },
  phases: readonly Int32Array[],
): number {
  checkRecords(plan, records, key.slots);
  const { n, primes } = plan.ring;
  const secrets = key.secretResidues();
  const slots = new Float64Array(key.slots);
  let clippedValues = 0;
  for (let feature = first; feature < end; feature++) {
    clippedValues += encodeFeature(plan, records, feature, slots);
    const { c0, c1 } = key.encrypt(slots, plan.input.scale);
    primes.forEach((q, p) => {
      addProducts(c0[p]!, c1[p]!, secrets[p]!, q, phases[p]!.subarray(feature * n, (feature + 1) * n));
    });
  }
  return clippedValues;
}

/** Step 2: masks on, lanes out. */
async function writeLanes(
  plan: KeyholderPlan,
  key: SealKey,
  phases: readonly Int32Array[],
  seed: Uint8Array,
  sink: RunSink,
): Promise<void> {
  const { n, primes } = plan.ring;
  const features = encryptedFeatures(plan);
  const secrets = key.secretResidues();
  const maskKey = await importMaskSeed(seed);
  for (let primeIndex = 0; primeIndex < primes.length; primeIndex++) {
    const q = primes[primeIndex]!;
    const lane = { phases: phases[primeIndex]!, secret: secrets[primeIndex]!, n, features, q, maskKey };
    for (let firstLane = 0; firstLane < n; firstLane += RUN_LANES) {
      const run: LaneRun = { primeIndex, firstLane, laneCount: Math.min(RUN_LANES, n - firstLane) };
      const planes = await maskedPlanes(lane, run);
      const packed = new Uint8Array(run.laneCount * laneBytes(q, features));
      packLanes(planes, q, features, packed);
      await sink(run, packed);
    }
  }
}

interface PrimeLanes {
  readonly phases: Int32Array;
  readonly secret: Int32Array;
  readonly n: number;
  readonly features: number;
  readonly q: number;
  readonly maskKey: MaskKey;
}

/** c0' of a run as limb planes. The mask's planes are overwritten in place: byte by byte they are read just before. */
async function maskedPlanes(lanes: PrimeLanes, run: LaneRun): Promise<Uint8Array> {
  const planes = await expandMask(lanes.maskKey, lanes.q, lanes.features, run);
  const tile = limbCount(lanes.q) === 4 ? maskTile4 : maskTile3;
  for (let first = 0; first < run.laneCount; first += TILE_LANES) {
    tile(lanes, planes, run.firstLane, first, Math.min(first + TILE_LANES, run.laneCount));
  }
  return planes;
}

/** Lanes first..end of a run with four limbs: features outermost, so that phases are read line by line. */
function maskTile4(lanes: PrimeLanes, planes: Uint8Array, firstLane: number, first: number, end: number): void {
  const { phases, secret, n, features, q } = lanes;
  const inverse = 1 / q;
  for (let f = 0; f < features; f++) {
    const row = f * n + firstLane;
    for (let lane = first; lane < end; lane++) {
      const at0 = lane * 4 * features + f;
      const at1 = at0 + features;
      const at2 = at1 + features;
      const at3 = at2 + features;
      const mask = planes[at0]! | (planes[at1]! << 8) | (planes[at2]! << 16) | (planes[at3]! << 24);
      const value = subMod(phases[row + lane]!, mulModFast(mask, secret[firstLane + lane]!, q, inverse), q);
      planes[at0] = value;
      planes[at1] = value >>> 8;
      planes[at2] = value >>> 16;
      planes[at3] = value >>> 24;
    }
  }
}

/** The same for primes of up to 24 bits. */
function maskTile3(lanes: PrimeLanes, planes: Uint8Array, firstLane: number, first: number, end: number): void {
  const { phases, secret, n, features, q } = lanes;
  const inverse = 1 / q;
  for (let f = 0; f < features; f++) {
    const row = f * n + firstLane;
    for (let lane = first; lane < end; lane++) {
      const at0 = lane * 3 * features + f;
      const at1 = at0 + features;
      const at2 = at1 + features;
      const mask = planes[at0]! | (planes[at1]! << 8) | (planes[at2]! << 16);
      const value = subMod(phases[row + lane]!, mulModFast(mask, secret[firstLane + lane]!, q, inverse), q);
      planes[at0] = value;
      planes[at1] = value >>> 8;
      planes[at2] = value >>> 16;
    }
  }
}
