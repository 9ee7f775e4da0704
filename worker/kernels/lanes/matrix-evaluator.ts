/**
 * Lane programs over an ML runtime's matrix product (worker/runtimes): residues as 8-bit limbs, exact products, recombined.
 *
 * A step's rows are (group, lane, poly, limb): all groups that share a matrix go through its product together. Where a group reads
 * all values in order, as dense layers do, the limb planes are the left matrix as they lie; otherwise bytes are gathered.
 * State between steps: residues below q, `[lane][poly][value]`.
 *
 * Measured (CryptoNets shape, one WASM thread): this path is several times slower than the SIMD kernel, because accumulators
 * (four int32 per value) and limbs cross the runtime's border. tests/bench/lanes.ts prints the numbers of both.
 */
import { limbCount, unpackLanes } from "#lib/lanes/block.ts";
import type { LaneChunk, LaneEvaluator, LaneRuntime } from "#lib/lanes/evaluator.ts";
import { rejectAndRedraw } from "#lib/lanes/mask.ts";
import { mulMod } from "#lib/lanes/primes.ts";
import type { AffineGroup, AffineStep, LaneProgram, SquareStep, WeightMatrix } from "#lib/lanes/program.ts";
import type { MatrixProduct, MatrixRuntime } from "#worker/runtimes/matrix-runtime.ts";
import { rowRuns } from "./packed-matrix.ts";

/** Lanes per `evaluate`. */
const MAX_LANES = 32;
/** Bytes of gathered limbs per product: large enough that a call costs nothing, small enough to stay in a cache. */
const PRODUCT_BYTES = 512 * 1024;

/** One run of rows of one digit of a matrix. */
interface Pass {
  readonly firstRow: number;
  readonly rows: number;
  /** 2^shift of this digit. */
  readonly factor: number;
  readonly product: MatrixProduct;
}

interface State {
  readonly polys: number;
  readonly width: number;
  /** `[lane][poly][value]` residues below q. */
  readonly values: Uint32Array<ArrayBuffer>;
}

export function matrixLaneRuntime(runtime: MatrixRuntime): LaneRuntime {
  return {
    name: runtime.name,
    async prepare(program) {
      const passes: Pass[][] = [];
      for (const matrix of program.matrices) passes.push(await preparePasses(runtime, matrix));
      return new MatrixEvaluator(program, passes);
    },
  };
}

async function preparePasses(runtime: MatrixRuntime, matrix: WeightMatrix): Promise<Pass[]> {
  const passes: Pass[] = [];
  for (const { firstRow, rows } of rowRuns(matrix, Math.floor((runtime.exactBelow - 1) / 255))) {
    for (const [index, digit] of matrix.digits.entries()) {
      const weights = digit.slice(firstRow * matrix.m, (firstRow + rows) * matrix.m);
      const product = await runtime.prepare(weights, rows, matrix.m);
      passes.push({ firstRow, rows, factor: 2 ** (index * matrix.digitBits), product });
    }
  }
  return passes;
}

class MatrixEvaluator implements LaneEvaluator {
  readonly maxLanes = MAX_LANES;
  private readonly program: LaneProgram;
  /** By matrix. */
  private readonly passes: readonly (readonly Pass[])[];

  constructor(program: LaneProgram, passes: readonly (readonly Pass[])[]) {
    this.program = program;
    this.passes = passes;
  }

  async evaluate(chunk: LaneChunk): Promise<Uint32Array<ArrayBuffer>> {
    const { primeIndex, laneCount } = chunk;
    const q = this.program.ring.primes[primeIndex]!;
    let state = openChunk(chunk, q, this.program.inputs);
    for (const step of this.program.steps) {
      state =
        step.kind === "affine"
          ? await this.affine(step, primeIndex, q, laneCount, state)
          : square(step, step.carryFactor[primeIndex]!, q, laneCount, state);
    }
    return state.values;
  }

  async dispose(): Promise<void> {
    for (const pass of this.passes.flat()) await pass.product.dispose();
  }

  private async affine(step: AffineStep, primeIndex: number, q: number, lanes: number, from: State): Promise<State> {
    const { polys } = from;
    const to = { polys, width: step.outputs, values: new Uint32Array(lanes * polys * step.outputs) };
    for (let lane = 0; lane < lanes; lane++) to.values.set(step.bias[primeIndex]!, lane * polys * step.outputs);
    const planes = limbPlanes(from.values, from.width, limbCount(q));
    for (const [matrix, passes] of this.passes.entries()) {
      const groups = step.groups.filter((group) => group.matrix === matrix);
      for (const pass of passes) await multiplyGroups(pass, groups, planes, q, lanes * polys, from.width, to);
    }
    return to;
  }
}

function openChunk({ laneCount, packed, mask }: LaneChunk, q: number, features: number): State {
  const limbs = limbCount(q);
  const c0 = new Uint8Array(laneCount * limbs * features);
  unpackLanes(packed, q, features, c0);
  rejectAndRedraw(mask, q, features);
  const values = new Uint32Array(laneCount * 2 * features);
  [c0, mask.planes].forEach((planes, poly) => {
    for (let lane = 0; lane < laneCount; lane++) {
      for (let limb = 0; limb < limbs; limb++) {
        const at = (lane * limbs + limb) * features;
        const to = (2 * lane + poly) * features;
        for (let f = 0; f < features; f++) values[to + f]! |= planes[at + f]! << (8 * limb);
      }
    }
  });
  return { polys: 2, width: features, values };
}

/** Residues `[row][value]` to bytes `[row][limb][value]`. */
function limbPlanes(values: Uint32Array, width: number, limbs: number): Uint8Array {
  const planes = new Uint8Array(values.length * limbs);
  for (let from = 0, to = 0; from < values.length; from += width) {
    for (let limb = 0; limb < limbs; limb++) {
      for (let v = 0; v < width; v++) planes[to++] = values[from + v]! >>> (8 * limb);
    }
  }
  return planes;
}

/** Adds one pass's products of some groups to `to`. `rows` counts (lane, poly). */
async function multiplyGroups(
  pass: Pass,
  groups: readonly AffineGroup[],
  planes: Uint8Array,
  q: number,
  rows: number,
  width: number,
  to: State,
): Promise<void> {
  const limbs = limbCount(q);
  const rowBytes = limbs * pass.rows;
  const groupsPerProduct = Math.max(1, Math.floor(PRODUCT_BYTES / (rows * rowBytes)));
  for (let first = 0; first < groups.length; first += groupsPerProduct) {
    const some = groups.slice(first, first + groupsPerProduct);
    const asItLies = some.length === 1 && readsInOrder(some[0]!, pass, width);
    const left = asItLies ? planes : gather(some, pass, planes, rows * limbs, width);
    const sums = await pass.product.multiply(left, some.length * rows * limbs);
    some.forEach((group, g) => {
      addRecombined(sums, g * rows * limbs, group.outputIndex, limbs, pass.factor, q, rows, to);
    });
  }
}

function readsInOrder(group: AffineGroup, pass: Pass, width: number): boolean {
  return pass.rows === width && group.inputIndex.length === width && group.inputIndex.every((from, i) => from === i);
}

function gather(groups: readonly AffineGroup[], pass: Pass, planes: Uint8Array, planeCount: number, width: number) {
  const left = new Uint8Array(groups.length * planeCount * pass.rows);
  let to = 0;
  for (const group of groups) {
    const index = group.inputIndex.subarray(pass.firstRow, pass.firstRow + pass.rows);
    for (let plane = 0; plane < planeCount; plane++) {
      const base = plane * width;
      for (let k = 0; k < index.length; k++, to++) if (index[k]! >= 0) left[to] = planes[base + index[k]!]!;
    }
  }
  return left;
}

/** y += factor·Σ 2^(8·limb)·sums[limb], mod q. Exact: |sums| < 2^29, so the sum over limbs stays below 2^53. */
function addRecombined(
  sums: Int32Array | Float32Array,
  firstRow: number,
  outputIndex: Int32Array,
  limbs: number,
  factor: number,
  q: number,
  rows: number,
  to: State,
): void {
  const m = outputIndex.length;
  for (let row = 0; row < rows; row++) {
    const base = (firstRow + row * limbs) * m;
    for (let column = 0; column < m; column++) {
      const output = outputIndex[column]!;
      if (output < 0) continue;
      let sum = 0;
      for (let limb = limbs - 1; limb >= 0; limb--) sum = sum * 256 + sums[base + limb * m + column]!;
      const at = row * to.width + output;
      to.values[at] = modulo(to.values[at]! + factor * modulo(sum, q), q);
    }
  }
}

/** value mod q for |value| < 2^53: the double quotient is off by at most one. */
function modulo(value: number, q: number): number {
  const rest = value - Math.floor(value / q) * q;
  if (rest < 0) return rest + q;
  return rest >= q ? rest - q : rest;
}

function square(step: SquareStep, carryFactor: number, q: number, lanes: number, from: State): State {
  const polys = 2 * from.polys - 1;
  const { width } = step;
  const values = new Uint32Array(lanes * polys * width);
  const squared = width - step.carried;
  for (let lane = 0; lane < lanes; lane++) {
    const input = lane * from.polys * width;
    const output = lane * polys * width;
    for (let i = 0; i < from.polys; i++) {
      for (let j = i; j < from.polys; j++) {
        const twice = i === j ? 1 : 2;
        for (let v = 0; v < squared; v++) {
          const product = mulMod(from.values[input + i * width + v]!, from.values[input + j * width + v]!, q);
          const at = output + (i + j) * width + v;
          values[at] = modulo(values[at]! + twice * product, q);
        }
      }
      for (let v = squared; v < width; v++) {
        values[output + i * width + v] = mulMod(from.values[input + i * width + v]!, carryFactor, q);
      }
    }
  }
  return { polys, width, values };
}
