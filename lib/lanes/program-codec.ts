/**
 * Lane programs as bytes: one deterministic form, named by its SHA-256 digest, fetched by donors over HTTP.
 *
 * All fields are little-endian 32-bit words; int8 weights are padded to a word boundary.
 *
 *     magic "FLXP", version, n, primeCount, inputs, outputs, polysOut, matrixCount, stepCount
 *     primes[primeCount]
 *     per matrix: k, m, digitBits, digitCount, then each digit's k·m bytes (padded)
 *     per affine step: 0, inputs, outputs, groupCount, per group: matrix, inputIndex[k], outputIndex[m]; bias[primeCount][outputs]
 *     per square step: 1, width, carried, carryFactor[primeCount]
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { checkProgram } from "./check-program.ts";
import { LANE_LIMITS } from "./limits.ts";
import type { AffineGroup, AffineStep, LaneProgram, LaneStep, SquareStep, WeightMatrix } from "./program.ts";

const MAGIC = 0x50584c46; // "FLXP"
const VERSION = 1;
const STEP_KIND = { affine: 0, square: 1 } as const;

/** The program's canonical bytes. Equal programs give equal bytes. Throws FluxError on a malformed program. */
export function encodeProgram(program: LaneProgram): Uint8Array<ArrayBuffer> {
  checkProgram(program);
  const writer = new WordWriter();
  const { ring, matrices, steps } = program;
  writer.words(MAGIC, VERSION, ring.n, ring.primes.length, program.inputs, program.outputs, program.polysOut);
  writer.words(matrices.length, steps.length, ...ring.primes);
  for (const matrix of matrices) {
    writer.words(matrix.k, matrix.m, matrix.digitBits, matrix.digits.length);
    for (const digit of matrix.digits) writer.int8(digit);
  }
  for (const step of steps) {
    switch (step.kind) {
      case "affine":
        writer.words(STEP_KIND.affine, step.inputs, step.outputs, step.groups.length);
        for (const group of step.groups) {
          writer.words(group.matrix);
          writer.int32(group.inputIndex);
          writer.int32(group.outputIndex);
        }
        for (const row of step.bias) writer.int32(row);
        break;
      case "square":
        writer.words(STEP_KIND.square, step.width, step.carried);
        writer.int32(step.carryFactor);
        break;
    }
  }
  const bytes = writer.finish();
  if (bytes.length > LANE_LIMITS.maxProgramBytes) {
    throw new FluxError(
      "plan_impossible",
      `The compiled program has ${bytes.length} bytes, at most ${LANE_LIMITS.maxProgramBytes}. Use a smaller model.`,
    );
  }
  return bytes;
}

/** Parses and checks a program. Throws FluxError("invalid_request") on anything that `encodeProgram` would not have made. */
export function decodeProgram(bytes: Uint8Array): LaneProgram {
  const reader = new WordReader(bytes);
  if (reader.word() !== MAGIC) throw malformed("it does not start with FLXP");
  if (reader.word() !== VERSION) throw malformed("its version is not known here");
  const n = reader.word();
  const primeCount = reader.count(LANE_LIMITS.maxPrimes);
  const inputs = reader.word();
  const outputs = reader.word();
  const polysOut = reader.word();
  const matrixCount = reader.count(LANE_LIMITS.maxMatrices);
  const stepCount = reader.count(LANE_LIMITS.maxSteps);
  const primes = [...reader.uint32(primeCount)];
  const matrices: WeightMatrix[] = [];
  for (let i = 0; i < matrixCount; i++) matrices.push(readMatrix(reader));
  const steps: LaneStep[] = [];
  for (let i = 0; i < stepCount; i++) steps.push(readStep(reader, matrices, primeCount));
  reader.end();
  const program: LaneProgram = { version: 1, ring: { n, primes }, inputs, outputs, polysOut, matrices, steps };
  checkProgram(program);
  return program;
}

/** Lower-case hex SHA-256: the program's name. */
export async function programDigest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function readMatrix(reader: WordReader): WeightMatrix {
  const k = reader.count(LANE_LIMITS.maxProductRows);
  const m = reader.count(LANE_LIMITS.maxWidth);
  const digitBits = reader.word();
  const digitCount = reader.count(2);
  const digits: Int8Array[] = [];
  for (let i = 0; i < digitCount; i++) digits.push(reader.int8(k * m));
  return { k, m, digitBits, digits };
}

function readStep(reader: WordReader, matrices: readonly WeightMatrix[], primeCount: number): LaneStep {
  const kind = reader.word();
  if (kind === STEP_KIND.square) return readSquare(reader, primeCount);
  if (kind === STEP_KIND.affine) return readAffine(reader, matrices, primeCount);
  throw malformed(`step kind ${kind} is not known`);
}

function readSquare(reader: WordReader, primeCount: number): SquareStep {
  const width = reader.count(LANE_LIMITS.maxWidth);
  const carried = reader.word();
  return { kind: "square", width, carried, carryFactor: reader.uint32(primeCount) };
}

function readAffine(reader: WordReader, matrices: readonly WeightMatrix[], primeCount: number): AffineStep {
  const inputs = reader.count(LANE_LIMITS.maxWidth);
  const outputs = reader.count(LANE_LIMITS.maxWidth);
  const groupCount = reader.count(LANE_LIMITS.maxGroups);
  const groups: AffineGroup[] = [];
  for (let i = 0; i < groupCount; i++) {
    const matrixIndex = reader.word();
    const matrix = matrices[matrixIndex];
    if (matrix === undefined) throw malformed(`a group names matrix ${matrixIndex} of ${matrices.length}`);
    groups.push({ matrix: matrixIndex, inputIndex: reader.int32(matrix.k), outputIndex: reader.int32(matrix.m) });
  }
  const bias: Uint32Array[] = [];
  for (let p = 0; p < primeCount; p++) bias.push(reader.uint32(outputs));
  return { kind: "affine", inputs, outputs, groups, bias };
}

function malformed(why: string): FluxError {
  return new FluxError("invalid_request", `These bytes are not a lane program: ${why}. Fetch the program again.`);
}

/** Appends words and padded bytes; grows by doubling. */
class WordWriter {
  private bytes = new Uint8Array(1 << 16);
  private length = 0;

  words(...values: number[]): void {
    this.int32(Int32Array.from(values));
  }

  int32(values: Int32Array | Uint32Array): void {
    this.reserve(values.length * 4);
    const view = new DataView(this.bytes.buffer);
    for (let i = 0; i < values.length; i++) view.setInt32(this.length + 4 * i, values[i]! | 0, true);
    this.length += values.length * 4;
  }

  int8(values: Int8Array): void {
    const padded = (values.length + 3) & ~3;
    this.reserve(padded);
    this.bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.length), this.length);
    this.length += padded;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Reads words with a bounds check before every allocation. */
class WordReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private offset = 0;

  constructor(bytes: Uint8Array) {
    if (bytes.length > LANE_LIMITS.maxProgramBytes) throw malformed(`${bytes.length} bytes are too many`);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  word(): number {
    this.need(4);
    const value = this.view.getUint32(this.offset, true);
    this.offset += 4;
    return value;
  }

  /** A word that counts something: 1..limit. */
  count(limit: number): number {
    const value = this.word();
    if (value < 1 || value > limit) throw malformed(`a count is ${value}, allowed 1..${limit}`);
    return value;
  }

  uint32(length: number): Uint32Array<ArrayBuffer> {
    this.need(4 * length);
    const values = new Uint32Array(length);
    for (let i = 0; i < length; i++) values[i] = this.view.getUint32(this.offset + 4 * i, true);
    this.offset += 4 * length;
    return values;
  }

  int32(length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.uint32(length).buffer);
  }

  int8(length: number): Int8Array<ArrayBuffer> {
    const padded = (length + 3) & ~3;
    this.need(padded);
    const values = new Int8Array(length);
    values.set(new Int8Array(this.bytes.buffer, this.bytes.byteOffset + this.offset, length));
    for (let i = length; i < padded; i++) {
      if (this.bytes[this.offset + i] !== 0) throw malformed("padding is not zero");
    }
    this.offset += padded;
    return values;
  }

  end(): void {
    if (this.offset !== this.bytes.length) throw malformed(`${this.bytes.length - this.offset} bytes are left over`);
  }

  private need(length: number): void {
    if (this.offset + length > this.bytes.length) throw malformed("it ends too early");
  }
}
