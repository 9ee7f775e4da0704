/**
 * Lane programs on the generated SIMD kernel: everything of a vector of four lanes stays in the cache from the first layer to
 * the last, and only residues cross to JavaScript. The fastest lane runtime on a CPU (measured in tests/bench/lanes.ts).
 *
 * The memory image of a program: per affine step its records, index lists (as byte offsets), packed weights and balanced biases;
 * then the states of one tile of lanes. Built once; a run writes planes in and reads residues out.
 */
import { laneBytes, limbCount, readResidue } from "#lib/lanes/block.ts";
import type { LaneChunk, LaneEvaluator, LaneRuntime } from "#lib/lanes/evaluator.ts";
import { LaneRedraws } from "#lib/lanes/mask.ts";
import { bitLength } from "#lib/lanes/primes.ts";
import type { AffineStep, LaneProgram, SquareStep } from "#lib/lanes/program.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { MemoryImage } from "./memory-image.ts";
import { type PackedMatrix, packMatrix } from "./packed-matrix.ts";
import { instantiateLaneKernel, type LaneKernel } from "./wasm/kernel.ts";
import { fieldTable, PLANE_FEATURES, PLANE_SLACK_BYTES } from "./wasm/planes.ts";
import { GATHER, PAIR_BYTES, productOperation, RECORD } from "./wasm/product.ts";
import { VECTOR_BYTES, VECTOR_LANES } from "./wasm/vectors.ts";

/** Lanes per `evaluate`. AES of 256 lanes × 784 features runs at 1.7 GB/s, of 64 lanes at 1.0 GB/s (WebCrypto in Node). */
const MAX_LANES = 256;
/** A step's weights up to this size are walked once per vector; larger ones are cut into chunks that a tile of vectors shares. */
const WEIGHTS_IN_CACHE_BYTES = 256 * 1024;
/** Vectors per tile when weights are cut into chunks. */
const TILE_VECTORS = 8;
/** Of all states of a tile. */
const TILE_BYTES = 32 * 1024 * 1024;
/** A donor's bound is 512 MB for everything. */
const MAX_IMAGE_BYTES = 384 * 1024 * 1024;

/** One polynomial of one vector: `stride` bytes, with slots for what is not a value. */
interface StateLayout {
  readonly polys: number;
  readonly width: number;
  /** Bytes of one polynomial. */
  readonly stride: number;
  /** Byte offset of a value that is always zero (padding reads it). */
  readonly zero: number;
  /** Byte offset that dropped columns are written to. */
  readonly trash: number;
  /** First byte; vector v of the tile starts at base + v·polys·stride. */
  readonly base: number;
}

interface AffinePlan {
  readonly kind: "affine";
  /** Record ranges whose weights fit the cache together. */
  readonly chunks: readonly { readonly from: number; readonly end: number }[];
  /** Per prime: balanced biases `[outputs]`, indexed like the output state. */
  readonly bias: readonly number[];
}
interface SquarePlan {
  readonly kind: "square";
  readonly step: SquareStep;
}
type StepPlan = AffinePlan | SquarePlan;

interface Plan {
  readonly steps: readonly StepPlan[];
  /** States before step 0, 1, … and after the last. */
  readonly states: readonly StateLayout[];
  readonly tileVectors: number;
  /** Lanes as they came, one tile of one polynomial. */
  readonly planes: number;
  /** List of turns with rejected mask residues. */
  readonly flagged: number;
  /** By bits of the packed limb, 1..7. */
  readonly fieldTables: readonly number[];
  readonly scratch: number;
  readonly noBias: number;
}

export const laneSimdRuntime: LaneRuntime = {
  name: "lane-simd",
  prepare: prepareSimd,
};

export async function prepareSimd(program: LaneProgram): Promise<SimdEvaluator> {
  const image = new MemoryImage();
  const plan = layOut(program, image);
  if (image.bytes > MAX_IMAGE_BYTES) {
    throw new FluxError("plan_impossible", `The program needs ${image.bytes} bytes on a donor. Use a smaller model.`);
  }
  const memory = image.build();
  return new SimdEvaluator(program, plan, memory, await instantiateLaneKernel(memory));
}

export class SimdEvaluator implements LaneEvaluator {
  readonly maxLanes = MAX_LANES;
  private readonly program: LaneProgram;
  private readonly kernel: LaneKernel;
  private readonly bytes: Uint8Array;
  /** Read by the benchmark, which splits the time by leaving parts of the work out. */
  readonly plan: Plan;
  readonly words: Int32Array;

  constructor(program: LaneProgram, plan: Plan, memory: WebAssembly.Memory, kernel: LaneKernel) {
    this.program = program;
    this.plan = plan;
    this.kernel = kernel;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
  }

  evaluate({ primeIndex, laneCount, packed, mask }: LaneChunk): Uint32Array<ArrayBuffer> {
    const { program, plan } = this;
    const q = program.ring.primes[primeIndex]!;
    const packedBytes = laneBytes(q, program.inputs);
    const maskBytes = limbCount(q) * program.inputs;
    if (packed.length !== laneCount * packedBytes || mask.planes.length !== laneCount * maskBytes) {
      throw new FluxError("invalid_request", `${laneCount} lanes are ${packedBytes} + ${maskBytes} bytes each.`);
    }
    const redraws = new LaneRedraws(mask.redraws, q, program.inputs);
    const residues = new Uint32Array(laneCount * program.polysOut * program.outputs);
    const tileLanes = plan.tileVectors * VECTOR_LANES;
    for (let lane = 0; lane < laneCount; lane += tileLanes) {
      const lanes = Math.min(tileLanes, laneCount - lane);
      const vectors = Math.ceil(lanes / VECTOR_LANES);
      this.loadPacked(q, packed.subarray(lane * packedBytes, (lane + lanes) * packedBytes), vectors);
      this.loadMask(q, mask.planes.subarray(lane * maskBytes, (lane + lanes) * maskBytes), lane, lanes, redraws);
      plan.steps.forEach((step, index) => {
        const [from, to] = [plan.states[index]!, plan.states[index + 1]!];
        if (step.kind === "affine") this.affine(step, from, to, primeIndex, vectors);
        else this.square(step.step, from, to, primeIndex, vectors);
      });
      this.read(residues, lane, lanes, q);
    }
    return residues;
  }

  dispose(): void {}

  /** Polynomial 0 of a tile. */
  private loadPacked(q: number, packed: Uint8Array, vectors: number): void {
    const { inputs } = this.program;
    const state = this.plan.states[0]!;
    const bits = bitLength(q);
    const bytes = laneBytes(q, inputs);
    const load = this.kernel.loadPacked(bits);
    this.bytes.set(packed, this.plan.planes);
    for (let v = 0; v < vectors; v++) {
      const out = state.base + v * state.polys * state.stride;
      const from = this.plan.planes + v * VECTOR_LANES * bytes;
      load(from, bytes, inputs, out, q, this.plan.fieldTables[bits & 7]!, 16 - (bits & 7));
    }
  }

  /** Polynomial 1 of a tile, with its rejected residues redrawn. */
  private loadMask(q: number, planes: Uint8Array, firstLane: number, lanes: number, redraws: LaneRedraws): void {
    const { inputs } = this.program;
    const state = this.plan.states[0]!;
    const limbs = limbCount(q);
    const bitMask = 2 ** bitLength(q) - 1;
    this.bytes.set(planes, this.plan.planes);
    for (let v = 0; v * VECTOR_LANES < lanes; v++) {
      const from = this.plan.planes + v * VECTOR_LANES * limbs * inputs;
      const out = state.base + (v * state.polys + 1) * state.stride;
      this.kernel.loadMask[limbs]!(from, inputs, out, q, bitMask, this.plan.flagged);
      const flagged = this.words[this.plan.flagged / 4]!;
      if (flagged === 0) continue;
      for (let lane = 0; lane < Math.min(VECTOR_LANES, lanes - v * VECTOR_LANES); lane++) {
        redraws.startLane(firstLane + v * VECTOR_LANES + lane);
        for (let i = 1; i <= flagged; i++) {
          const firstFeature = this.words[this.plan.flagged / 4 + i]! * PLANE_FEATURES;
          const lastFeature = Math.min(inputs, firstFeature + PLANE_FEATURES) - 1;
          for (let f = firstFeature; f <= lastFeature; f++) {
            const drawn = readResidue(this.bytes, from + lane * limbs * inputs + f, limbs, inputs) % (bitMask + 1);
            if (drawn >= q) this.words[out / 4 + f * VECTOR_LANES + lane] = balanced(redraws.redraw(drawn), q);
          }
        }
      }
    }
  }

  private affine(step: AffinePlan, from: StateLayout, to: StateLayout, primeIndex: number, vectors: number): void {
    const { kernel, plan } = this;
    const q = this.program.ring.primes[primeIndex]!;
    for (const chunk of step.chunks) {
      for (let row = 0; row < vectors * from.polys; row++) {
        const bias = row % from.polys === 0 ? step.bias[primeIndex]! : plan.noBias;
        const [input, output] = [from.base + row * from.stride, to.base + row * to.stride];
        kernel.affine(chunk.from, chunk.end, input, output, bias, plan.scratch, q, 1 / q);
      }
    }
  }

  private square(step: SquareStep, from: StateLayout, to: StateLayout, primeIndex: number, vectors: number): void {
    const q = this.program.ring.primes[primeIndex]!;
    const squared = step.width - step.carried;
    const offset = squared * VECTOR_BYTES;
    for (let v = 0; v < vectors; v++) {
      const input = from.base + v * from.polys * from.stride;
      const output = to.base + v * to.polys * to.stride;
      if (squared > 0) {
        this.kernel.square[from.polys]!(input, from.stride, output, to.stride, squared, q, 1 / q);
      }
      if (step.carried === 0) continue;
      const factor = balanced(step.carryFactor[primeIndex]!, q);
      for (let poly = 0; poly < to.polys; poly++) {
        const at = output + poly * to.stride + offset;
        if (poly >= from.polys) this.bytes.fill(0, at, at + step.carried * VECTOR_BYTES);
        else this.kernel.scale(input + poly * from.stride + offset, at, step.carried, factor, q, 1 / q);
      }
    }
  }

  /** The last state `[vector][poly][output][4 lanes]` as canonical residues `[lane][poly][output]`. */
  private read(residues: Uint32Array, firstLane: number, lanes: number, q: number): void {
    const { polysOut, outputs } = this.program;
    const state = this.plan.states.at(-1)!;
    let at = firstLane * polysOut * outputs;
    for (let lane = 0; lane < lanes; lane++) {
      const vector = Math.floor(lane / VECTOR_LANES);
      for (let poly = 0; poly < polysOut; poly++) {
        let word = (state.base + (vector * polysOut + poly) * state.stride) / 4 + (lane % VECTOR_LANES);
        for (let output = 0; output < outputs; output++, word += VECTOR_LANES) {
          const value = this.words[word]!;
          residues[at++] = value < 0 ? value + q : value;
        }
      }
    }
  }
}

/** The residue of smallest magnitude. */
function balanced(residue: number, q: number): number {
  return residue > q / 2 ? residue - q : residue;
}

// ---- the memory image ---------------------------------------------------------------------------------------------

function layOut(program: LaneProgram, image: MemoryImage): Plan {
  const matrices = program.matrices.map(packMatrix);
  const weights = matrices.map((matrix) =>
    matrix.passes.map((pass) => pass.blocks.map((block) => image.add(block.weights))),
  );
  const tileVectors = vectorsPerTile(program, matrices);

  const states: StateLayout[] = [stateLayout(image, 2, program.inputs, tileVectors)];
  for (const step of program.steps) {
    const { polys } = states.at(-1)!;
    states.push(
      step.kind === "affine"
        ? stateLayout(image, polys, step.outputs, tileVectors)
        : stateLayout(image, 2 * polys - 1, step.width, tileVectors),
    );
  }
  const steps = program.steps.map((step, index): StepPlan => {
    if (step.kind === "square") return { kind: "square", step };
    return {
      kind: "affine",
      chunks: recordChunks(step, matrices, weights, states[index]!, states[index + 1]!, image),
      bias: step.bias.map((residues, p) => {
        const biases = new Int32Array(states[index + 1]!.stride / VECTOR_BYTES);
        biases.set(Array.from(residues, (residue) => balanced(residue, program.ring.primes[p]!)));
        return image.add(biases);
      }),
    };
  });
  const mostPairs = Math.max(...matrices.flatMap((matrix) => matrix.passes.map((pass) => pass.pairs)));
  const widest = Math.max(...states.map((state) => state.stride)) / VECTOR_BYTES;
  return {
    steps,
    states,
    tileVectors,
    planes: image.reserve(tileVectors * VECTOR_LANES * 4 * program.inputs + PLANE_SLACK_BYTES),
    flagged: image.reserve(4 * (2 + program.inputs / PLANE_FEATURES)),
    fieldTables: [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => (bits === 0 ? 0 : image.add(fieldTable(bits)))),
    scratch: image.reserve(mostPairs * PAIR_BYTES),
    noBias: image.reserve(widest * 4),
  };
}

/** One vector where all weights stay in the cache; otherwise a tile that shares each chunk of them, as far as memory goes. */
function vectorsPerTile(program: LaneProgram, matrices: readonly PackedMatrix[]): number {
  const weightBytes = matrices.reduce((sum, matrix) => sum + matrix.bytes, 0);
  if (weightBytes <= WEIGHTS_IN_CACHE_BYTES) return 1;
  let polys = 2;
  let values = polys * program.inputs;
  for (const step of program.steps) {
    if (step.kind === "square") polys = 2 * polys - 1;
    values += polys * (step.kind === "affine" ? step.outputs : step.width);
  }
  return Math.max(1, Math.min(TILE_VECTORS, Math.floor(TILE_BYTES / (values * VECTOR_BYTES))));
}

function stateLayout(image: MemoryImage, polys: number, width: number, vectors: number): StateLayout {
  // The plane loader writes whole turns, so the slots beside the values come after the last turn.
  const padded = Math.ceil(width / PLANE_FEATURES) * PLANE_FEATURES;
  const stride = (padded + 2) * VECTOR_BYTES;
  const base = image.reserve(vectors * polys * stride);
  return { polys, width, stride, zero: padded * VECTOR_BYTES, trash: (padded + 1) * VECTOR_BYTES, base };
}

/** The records of an affine step: per group and pass one gather and its products, cut where the weights outgrow the cache. */
function recordChunks(
  step: AffineStep,
  matrices: readonly PackedMatrix[],
  weights: readonly (readonly (readonly number[])[])[],
  from: StateLayout,
  to: StateLayout,
  image: MemoryImage,
): { from: number; end: number }[] {
  const records = new RecordWriter();
  for (const group of step.groups) {
    const matrix = matrices[group.matrix]!;
    const outputs = Int32Array.from(group.outputIndex, (o) => (o < 0 ? to.trash : o * VECTOR_BYTES));
    const outputList = image.add(outputs);
    const gathered = new Map<number, number>();
    matrix.passes.forEach((pass, p) => {
      let inputList = gathered.get(pass.firstRow);
      if (inputList === undefined) {
        const inputs = new Int32Array(2 * pass.pairs).fill(from.zero);
        for (let i = 0; i < pass.rows; i++) {
          const index = group.inputIndex[pass.firstRow + i]!;
          if (index >= 0) inputs[i] = index * VECTOR_BYTES;
        }
        inputList = image.add(inputs);
        gathered.set(pass.firstRow, inputList);
      }
      const gather = { operation: GATHER, data: inputList, pairs: pass.pairs, outputs: 0, shift: 0 };
      records.write(gather);
      pass.blocks.forEach((block, b) => {
        // A product needs its gather in the same chunk.
        if (records.cutIfOver(block.weights.byteLength)) records.write(gather);
        records.write({
          operation: productOperation(block.columns, p === 0),
          data: weights[group.matrix]![p]![b]!,
          pairs: pass.pairs,
          outputs: outputList + 4 * block.firstColumn,
          shift: pass.shift,
        });
      });
    });
  }
  const base = image.add(records.bytes());
  return records.chunks().map((chunk) => ({ from: base + chunk.from, end: base + chunk.end }));
}

interface OperationRecord {
  readonly operation: number;
  readonly data: number;
  readonly pairs: number;
  readonly outputs: number;
  readonly shift: number;
}

class RecordWriter {
  private readonly records: OperationRecord[] = [];
  private readonly cuts: number[] = [0];
  private chunkWeights = 0;

  write(record: OperationRecord): void {
    this.records.push(record);
  }

  /** Counts weights that the next record walks; starts a chunk before them if the present one is full. */
  cutIfOver(bytes: number): boolean {
    this.chunkWeights += bytes;
    if (this.chunkWeights <= WEIGHTS_IN_CACHE_BYTES) return false;
    this.chunkWeights = bytes;
    this.cuts.push(this.records.length);
    return true;
  }

  bytes(): Uint8Array {
    const view = new DataView(new ArrayBuffer(this.records.length * RECORD.bytes));
    this.records.forEach((record, index) => {
      const at = index * RECORD.bytes;
      view.setInt32(at + RECORD.operation, record.operation, true);
      view.setInt32(at + RECORD.data, record.data, true);
      view.setInt32(at + RECORD.pairs, record.pairs, true);
      view.setInt32(at + RECORD.outputs, record.outputs, true);
      view.setInt32(at + RECORD.shift, record.shift, true);
      view.setFloat64(at + RECORD.scale, 2 ** record.shift, true);
    });
    return new Uint8Array(view.buffer);
  }

  chunks(): { from: number; end: number }[] {
    const ends = [...this.cuts.slice(1), this.records.length];
    return this.cuts.map((from, i) => ({ from: from * RECORD.bytes, end: ends[i]! * RECORD.bytes }));
  }
}
