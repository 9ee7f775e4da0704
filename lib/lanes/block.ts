/**
 * The bytes of lane blocks: what a donor gets (payload) and gives back (result).
 *
 * A residue of a b-bit prime is ⌈b/8⌉ limbs of 8 bits. In memory a run of lanes is `[lane][limb][feature]` bytes ("limb planes"):
 * its rows are directly the rows of the first product's left matrix, with no packing.
 *
 * On the wire a lane is the same planes, except that a last limb of fewer than 8 bits is bit-packed: 28-bit residues take
 * 3½ bytes, 24-bit residues are already as small as they get. Every lane of one prime takes the same number of whole bytes, and
 * a batch is one blob `[prime][lane]`, so any run of lanes of one prime is one contiguous byte range of it.
 *
 *     payload  = 48-byte header, then laneCount × laneBytes: polynomial 0. Polynomial 1 is expanded from the header's seed (mask.ts).
 *     result   = 32-byte header, then per lane its residues [poly][output], bit-packed one after another and padded with zero bits to a
 *                whole byte
 *
 * All integers are little-endian.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { LANE_LIMITS } from "./limits.ts";
import { bitLength } from "./primes.ts";
import type { LaneProgram, LaneRing, LaneRun } from "./program.ts";

export const PAYLOAD_HEADER_BYTES = 48;
export const RESULT_HEADER_BYTES = 32;
export const MASK_SEED_BYTES = 16;

const PAYLOAD_MAGIC = 0x42584c46; // "FLXB"
const RESULT_MAGIC = 0x52584c46; // "FLXR"
const VERSION = 1;

export interface LanePayload {
  readonly run: LaneRun;
  readonly modulus: number;
  readonly features: number;
  /** The batch's public mask seed. */
  readonly seed: Uint8Array;
  /** `[lane]` packed lanes of polynomial 0; a view into the payload's bytes. */
  readonly body: Uint8Array;
}

/** Limbs of a residue below q: its bits, rounded up to whole bytes. */
export function limbCount(q: number): number {
  return (bitLength(q) + 7) >> 3;
}

/** Bytes of one packed lane: whole limbs as they are, the last one bit-packed. */
export function laneBytes(q: number, features: number): number {
  const bits = bitLength(q);
  return (bits >> 3) * features + Math.ceil(((bits & 7) * features) / 8);
}

/** Where the lanes of a run lie in the batch's blob `[prime][lane]`. */
export function blobRange(ring: LaneRing, features: number, run: LaneRun): { offset: number; length: number } {
  checkRun(ring, run);
  let offset = 0;
  for (let p = 0; p < run.primeIndex; p++) offset += ring.n * laneBytes(ring.primes[p]!, features);
  const bytes = laneBytes(ring.primes[run.primeIndex]!, features);
  return { offset: offset + run.firstLane * bytes, length: run.laneCount * bytes };
}

/** Bytes of a whole batch's blob. */
export function blobBytes(ring: LaneRing, features: number): number {
  return ring.primes.reduce((sum, q) => sum + ring.n * laneBytes(q, features), 0);
}

/** Most lanes of this prime that fit in one payload. */
export function maxLanesPerPayload(q: number, features: number): number {
  return Math.floor((LANE_LIMITS.maxPayloadBytes - PAYLOAD_HEADER_BYTES) / laneBytes(q, features));
}

export function checkRun(ring: LaneRing, run: LaneRun): void {
  const { primeIndex, firstLane, laneCount } = run;
  const sane =
    Number.isInteger(primeIndex) &&
    Number.isInteger(firstLane) &&
    Number.isInteger(laneCount) &&
    primeIndex >= 0 &&
    primeIndex < ring.primes.length &&
    firstLane >= 0 &&
    laneCount >= 1 &&
    firstLane + laneCount <= ring.n;
  if (!sane) {
    throw invalid(`lanes ${firstLane}+${laneCount} of prime ${primeIndex} are not in a ring of ${ring.n} lanes`);
  }
}

/** The 48 bytes that go before a run's bytes of the blob to make a payload. */
export function payloadHeader(
  ring: LaneRing,
  features: number,
  run: LaneRun,
  seed: Uint8Array,
): Uint8Array<ArrayBuffer> {
  checkRun(ring, run);
  if (seed.length !== MASK_SEED_BYTES) throw invalid(`a mask seed has ${MASK_SEED_BYTES} bytes`);
  const header = new Uint8Array(PAYLOAD_HEADER_BYTES);
  const view = new DataView(header.buffer);
  const modulus = ring.primes[run.primeIndex]!;
  const words = [PAYLOAD_MAGIC, VERSION, run.primeIndex, run.firstLane, run.laneCount, features, modulus, 0];
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  header.set(seed, 32);
  return header;
}

/** Parses a payload against the program it is for; every residue is checked to be below the prime. Throws FluxError("ciphertext_invalid"). */
export function parsePayload(bytes: Uint8Array, ring: LaneRing, features: number): LanePayload {
  if (bytes.length < PAYLOAD_HEADER_BYTES) throw invalid("a payload is shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (i: number) => view.getUint32(4 * i, true);
  if (word(0) !== PAYLOAD_MAGIC || word(1) !== VERSION || word(7) !== 0) throw invalid("a payload has another header");
  const run: LaneRun = { primeIndex: word(2), firstLane: word(3), laneCount: word(4) };
  checkRun(ring, run);
  const modulus = ring.primes[run.primeIndex]!;
  if (word(5) !== features || word(6) !== modulus) throw invalid("a payload is for another program");
  const body = bytes.subarray(PAYLOAD_HEADER_BYTES);
  if (body.length !== run.laneCount * laneBytes(modulus, features)) {
    throw invalid("a payload has another length than its header says");
  }
  return { run, modulus, features, seed: bytes.slice(32, 32 + MASK_SEED_BYTES), body };
}

/**
 * Packed lanes → limb planes `[lane][limb][feature]`, written into `planes` (at least laneCount·limbs·features bytes).
 * Throws FluxError("ciphertext_invalid") if a residue is not below q.
 */
export function unpackLanes(body: Uint8Array, q: number, features: number, planes: Uint8Array): void {
  const bits = bitLength(q);
  const whole = bits >> 3;
  const topBits = bits & 7;
  const limbs = limbCount(q);
  const packedBytes = laneBytes(q, features);
  const laneCount = body.length / packedBytes;
  if (!Number.isInteger(laneCount) || planes.length < laneCount * limbs * features) {
    throw invalid("a run of lanes has another length than its prime and features make");
  }
  for (let lane = 0; lane < laneCount; lane++) {
    const from = lane * packedBytes;
    const to = lane * limbs * features;
    planes.set(body.subarray(from, from + whole * features), to);
    if (topBits !== 0) {
      const top = to + whole * features;
      unpackBits(body, from + whole * features, topBits, planes, top, features);
    }
  }
  if (!residuesBelow(planes.subarray(0, laneCount * limbs * features), q, features)) {
    throw invalid("a payload holds a residue that is not below its prime");
  }
}

/** Limb planes → packed lanes; the inverse of `unpackLanes`. */
export function packLanes(planes: Uint8Array, q: number, features: number, body: Uint8Array): void {
  const bits = bitLength(q);
  const whole = bits >> 3;
  const topBits = bits & 7;
  const limbs = limbCount(q);
  const packedBytes = laneBytes(q, features);
  const laneCount = planes.length / (limbs * features);
  if (!Number.isInteger(laneCount) || body.length < laneCount * packedBytes) {
    throw invalid("a run of lanes has another length than its prime and features make");
  }
  for (let lane = 0; lane < laneCount; lane++) {
    const from = lane * limbs * features;
    const to = lane * packedBytes;
    body.set(planes.subarray(from, from + whole * features), to);
    if (topBits !== 0) packBits(planes, from + whole * features, topBits, body, to + whole * features, features);
  }
}

/** True if every residue of limb planes `[lane][limb][feature]` is below q. Only residues whose top limb reaches q's are looked at in full. */
export function residuesBelow(planes: Uint8Array, q: number, features: number): boolean {
  const limbs = limbCount(q);
  const qTop = q >>> (8 * (limbs - 1));
  const laneSize = limbs * features;
  for (let base = 0; base < planes.length; base += laneSize) {
    const top = base + (limbs - 1) * features;
    for (let f = 0; f < features; f++) {
      if (planes[top + f]! >= qTop && readResidue(planes, base + f, limbs, features) >= q) return false;
    }
  }
  return true;
}

/** The residue whose lowest limb is at `at` and whose limbs are `stride` bytes apart. */
export function readResidue(planes: Uint8Array, at: number, limbs: number, stride: number): number {
  let value = 0;
  for (let limb = limbs - 1; limb >= 0; limb--) value = value * 256 + planes[at + limb * stride]!;
  return value;
}

/** Bytes of one lane of a result: its residues bit-packed, padded to a whole byte. */
export function resultLaneBytes(q: number, residuesPerLane: number): number {
  return Math.ceil((bitLength(q) * residuesPerLane) / 8);
}

/** Bytes of a result: header and packed lanes. */
export function resultBytes(program: LaneProgram, run: LaneRun): number {
  const q = program.ring.primes[run.primeIndex]!;
  return RESULT_HEADER_BYTES + run.laneCount * resultLaneBytes(q, program.polysOut * program.outputs);
}

/** A result's bytes from its residues `[lane][poly][output]`. */
export function encodeResult(program: LaneProgram, run: LaneRun, residues: Uint32Array): Uint8Array<ArrayBuffer> {
  checkRun(program.ring, run);
  const perLane = program.polysOut * program.outputs;
  if (residues.length !== run.laneCount * perLane)
    throw invalid("a result has another number of residues than its run");
  const bytes = new Uint8Array(resultBytes(program, run));
  const view = new DataView(bytes.buffer);
  resultHeader(program, run).forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  const modulus = program.ring.primes[run.primeIndex]!;
  const laneSize = resultLaneBytes(modulus, perLane);
  for (let lane = 0; lane < run.laneCount; lane++) {
    packResidues(residues, lane * perLane, perLane, bitLength(modulus), bytes, RESULT_HEADER_BYTES + lane * laneSize);
  }
  return bytes;
}

/**
 * The residues `[lane][poly][output]` of a donor's result for exactly this run, every one below the prime. A value that is not
 * (a prime of b bits leaves some room below 2^b) is taken modulo the prime, and bits that fill bytes are not looked at: what they
 * stand for is right or wrong like any other residue, which audits and decryption tell. Only header and length are refused.
 * Throws FluxError("result_malformed").
 */
export function parseResult(bytes: Uint8Array, program: LaneProgram, run: LaneRun): Uint32Array<ArrayBuffer> {
  const lanes = Array.from({ length: run.laneCount }, (_, lane) => lane);
  const { residues, modulus } = unpackResultLanes(bytes, program, run, lanes);
  for (let i = 0; i < residues.length; i++) if (residues[i]! >= modulus) residues[i]! -= modulus;
  return residues;
}

/**
 * The residues of chosen lanes of a result, in the order of `lanes` (counted from the run's first): for audits, which look at one
 * lane in a hundred. Throws FluxError("result_malformed") where header or length do not fit the run, or a chosen lane is
 * not written in its one canonical form.
 */
export function parseResultLanes(
  bytes: Uint8Array,
  program: LaneProgram,
  run: LaneRun,
  lanes: readonly number[],
): Uint32Array<ArrayBuffer> {
  const { residues, modulus, padded } = unpackResultLanes(bytes, program, run, lanes);
  if (!padded) throw malformedResult("a lane's padding is not zero");
  for (const residue of residues) if (residue >= modulus) throw malformedResult("a residue is not below its prime");
  return residues;
}

/** `padded`: every lane's last byte is filled with zero bits. */
function unpackResultLanes(bytes: Uint8Array, program: LaneProgram, run: LaneRun, lanes: readonly number[]) {
  checkRun(program.ring, run);
  if (bytes.length !== resultBytes(program, run)) throw malformedResult("its length is not the run's");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  resultHeader(program, run).forEach((word, i) => {
    if (view.getUint32(4 * i, true) !== word) throw malformedResult(`header word ${i} does not fit the lease`);
  });
  const perLane = program.polysOut * program.outputs;
  const modulus = program.ring.primes[run.primeIndex]!;
  const laneSize = resultLaneBytes(modulus, perLane);
  const residues = new Uint32Array(lanes.length * perLane);
  // Residues are read four bytes and one at a time: the last of them may reach past the end of its lane.
  const lane = new Uint8Array(laneSize + 8);
  const packed = new DataView(lane.buffer);
  let padded = true;
  lanes.forEach((index, i) => {
    const at = RESULT_HEADER_BYTES + index * laneSize;
    lane.set(bytes.subarray(at, at + laneSize));
    padded = unpackResidues(packed, 0, perLane, bitLength(modulus), residues, i * perLane) && padded;
  });
  return { residues, modulus, padded };
}

/** Results of one program that lie one after another → each with the run that its header names; the lengths follow from the runs. */
export function splitResults(bytes: Uint8Array, program: LaneProgram): { run: LaneRun; bytes: Uint8Array }[] {
  const results: { run: LaneRun; bytes: Uint8Array }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    if (at + RESULT_HEADER_BYTES > bytes.length) throw malformedResult("it ends within a header");
    const word = (i: number) => view.getUint32(at + 4 * i, true);
    const run: LaneRun = { primeIndex: word(2), firstLane: word(3), laneCount: word(4) };
    checkRun(program.ring, run);
    const length = resultBytes(program, run);
    if (at + length > bytes.length) throw malformedResult("it ends within a run");
    results.push({ run, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return results;
}

function resultHeader(program: LaneProgram, run: LaneRun): number[] {
  const { primeIndex, firstLane, laneCount } = run;
  const modulus = program.ring.primes[primeIndex]!;
  return [RESULT_MAGIC, VERSION, primeIndex, firstLane, laneCount, program.polysOut, program.outputs, modulus];
}

/** Residues of `bits` bits each → a little-endian bit string, its last byte filled with zero bits. */
function packResidues(
  from: Uint32Array,
  first: number,
  count: number,
  bits: number,
  to: Uint8Array,
  toAt: number,
): void {
  let buffer = 0;
  let held = 0;
  let next = toAt;
  for (let i = first; i < first + count; i++) {
    const value = from[i]!;
    // Halves, so that the buffer stays within 32 bits: at most 7 bits are held when 16 more come.
    const low = Math.min(bits, 16);
    buffer |= (value & 0xffff) << held;
    held += low;
    for (; held >= 8; held -= 8, buffer >>>= 8) to[next++] = buffer & 255;
    buffer |= (value >>> 16) << held;
    held += bits - low;
    for (; held >= 8; held -= 8, buffer >>>= 8) to[next++] = buffer & 255;
  }
  if (held > 0) to[next] = buffer & 255;
}

/**
 * The inverse; false if the bits that fill the last byte are not zero. `from` has four bytes more than it says. Measured, 50 residues of
 * 31 bits a lane: 2 to 3 ns a residue; through a buffer of bits, as they are packed, 10.
 */
function unpackResidues(
  from: DataView,
  at: number,
  count: number,
  bits: number,
  to: Uint32Array,
  first: number,
): boolean {
  const mask = (2 ** bits - 1) | 0;
  for (let i = 0, bit = 0; i < count; i++, bit += bits) {
    const byte = at + (bit >>> 3);
    const shift = bit & 7;
    const held = 32 - shift;
    let value = from.getUint32(byte, true) >>> shift;
    if (held < bits) value |= from.getUint8(byte + 4) << held;
    to[first + i] = value & mask;
  }
  const used = (count * bits) & 7;
  return used === 0 || from.getUint8(at + Math.ceil((count * bits) / 8) - 1) >>> used === 0;
}

/** `count` values of `bits` < 8 bits from a little-endian bit string into bytes. */
function unpackBits(from: Uint8Array, at: number, bits: number, to: Uint8Array, toAt: number, count: number): void {
  const mask = (1 << bits) - 1;
  if (bits === 4) {
    // 28-bit primes: two values a byte, a third of the general loop's time.
    for (let i = 0; i + 1 < count; i += 2) {
      const pair = from[at + (i >> 1)]!;
      to[toAt + i] = pair & 15;
      to[toAt + i + 1] = pair >> 4;
    }
    if (count & 1) to[toAt + count - 1] = from[at + (count >> 1)]! & 15;
    return;
  }
  let buffer = 0;
  let held = 0;
  let next = at;
  for (let i = 0; i < count; i++) {
    if (held < bits) {
      buffer |= from[next++]! << held;
      held += 8;
    }
    to[toAt + i] = buffer & mask;
    buffer >>>= bits;
    held -= bits;
  }
}

function packBits(from: Uint8Array, at: number, bits: number, to: Uint8Array, toAt: number, count: number): void {
  let buffer = 0;
  let held = 0;
  let next = toAt;
  for (let i = 0; i < count; i++) {
    buffer |= from[at + i]! << held;
    held += bits;
    if (held >= 8) {
      to[next++] = buffer & 255;
      buffer >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) to[next] = buffer & 255;
}

function invalid(why: string): FluxError {
  return new FluxError("ciphertext_invalid", `Lane block: ${why}. Upload or fetch the block again.`);
}

function malformedResult(why: string): FluxError {
  return new FluxError("result_malformed", `Lane result: ${why}. Reload the page to get the current donor program.`);
}
