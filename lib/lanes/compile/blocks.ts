/**
 * Finds the shape of a layer in its rows: outputs that read the same inputs form a block (a dense layer is one, a convolution has one
 * per position), and blocks with the same weights share a matrix. A block at the border reads fewer inputs; its matrix is the
 * interior one with rows left out, so it shares that one too and reads zeros.
 */
import type { Forms } from "./forms.ts";

export interface Block {
  /** `[k]` basis positions; −1 reads a zero. */
  readonly inputs: Int32Array;
  /** `[m]` rows of the layer; −1 drops the column. */
  readonly outputs: Int32Array;
  readonly matrix: number;
}

export interface RealMatrix {
  readonly k: number;
  readonly m: number;
  /** `[k, m]` */
  readonly weights: Float64Array;
}

export interface BlockLayer {
  readonly rows: number;
  readonly constant: Float64Array;
  readonly blocks: readonly Block[];
  readonly matrices: readonly RealMatrix[];
}

/** How many larger matrices a smaller block is compared with before it gets its own. */
const MAX_EMBEDDINGS = 64;

export function findBlocks(forms: Forms): BlockLayer {
  const clusters = clusterBySupport(forms).sort(
    (a, b) => b.columns.length - a.columns.length || a.rows[0]! - b.rows[0]!,
  );
  const matrices: RealMatrix[] = [];
  const byContent = new Map<number, number[]>();
  const byWidth = new Map<number, number[]>();
  const blocks = clusters.map((cluster): Block => {
    const matrix = matrixOf(forms, cluster);
    const outputs = Int32Array.from(cluster.rows);
    const columns = cluster.columns.length === 0 ? Int32Array.of(-1) : cluster.columns;
    const hash = hashNumbers(matrix.weights);
    for (const candidate of byContent.get(hash) ?? []) {
      if (sameMatrix(matrices[candidate]!, matrix)) return { inputs: columns, outputs, matrix: candidate };
    }
    for (const candidate of (byWidth.get(matrix.m) ?? []).slice(0, MAX_EMBEDDINGS)) {
      const inputs = embed(matrix, columns, matrices[candidate]!);
      if (inputs) return { inputs, outputs, matrix: candidate };
    }
    const index = matrices.push(matrix) - 1;
    append(byContent, hash, index);
    append(byWidth, matrix.m, index);
    return { inputs: columns, outputs, matrix: index };
  });
  blocks.sort((a, b) => a.outputs[0]! - b.outputs[0]!);
  return { rows: forms.rows, constant: forms.constant, blocks, matrices };
}

interface Cluster {
  readonly columns: Int32Array;
  readonly rows: number[];
}

function clusterBySupport(forms: Forms): Cluster[] {
  const buckets = new Map<number, Cluster[]>();
  const all: Cluster[] = [];
  for (let row = 0; row < forms.rows; row++) {
    const columns = forms.column.subarray(forms.start[row]!, forms.start[row + 1]!);
    const hash = hashNumbers(columns);
    const found = buckets.get(hash)?.find((cluster) => sameNumbers(cluster.columns, columns));
    if (found) {
      found.rows.push(row);
      continue;
    }
    const cluster: Cluster = { columns, rows: [row] };
    append(buckets, hash, cluster);
    all.push(cluster);
  }
  return all;
}

/** A constant row reads nothing; its matrix has one zero row, because a product needs one. */
function matrixOf(forms: Forms, cluster: Cluster): RealMatrix {
  const k = Math.max(1, cluster.columns.length);
  const m = cluster.rows.length;
  const weights = new Float64Array(k * m);
  cluster.rows.forEach((row, column) => {
    const from = forms.start[row]!;
    for (let i = 0; i < cluster.columns.length; i++) weights[i * m + column] = forms.weight[from + i]!;
  });
  return { k, m, weights };
}

/** The inputs of a smaller block written as inputs of a larger matrix, if its rows are some of that matrix's rows, in order. */
function embed(small: RealMatrix, columns: Int32Array, large: RealMatrix): Int32Array | undefined {
  if (small.k >= large.k) return undefined;
  const inputs = new Int32Array(large.k).fill(-1);
  let next = 0;
  for (let row = 0; row < large.k && next < small.k; row++) {
    let same = true;
    for (let column = 0; column < small.m && same; column++) {
      same = small.weights[next * small.m + column] === large.weights[row * large.m + column];
    }
    if (same) inputs[row] = columns[next++]!;
  }
  return next === small.k ? inputs : undefined;
}

function sameMatrix(a: RealMatrix, b: RealMatrix): boolean {
  return a.k === b.k && a.m === b.m && sameNumbers(a.weights, b.weights);
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** FNV-1a over the numbers' bits. */
function hashNumbers(values: ArrayLike<number>): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < values.length; i++) {
    scratch[0] = values[i]!;
    hash = Math.imul(hash ^ scratchWords[0]!, 0x01000193);
    hash = Math.imul(hash ^ scratchWords[1]!, 0x01000193);
  }
  return hash;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
