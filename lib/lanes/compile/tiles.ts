/**
 * Tiles: neighbouring blocks of one matrix joined to one larger product, zeros included, where the kernel's cost per product and per
 * gathered input outweighs the zeros: 3×3 convolutions with one map, say. product-cost.ts decides.
 */
import type { AffineGroup, WeightMatrix } from "../program.ts";
import type { Block } from "./blocks.ts";
import { groupNs } from "./product-cost.ts";

const TILE_SIZES = [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32];

export interface TiledLayer {
  readonly matrices: readonly WeightMatrix[];
  /** `matrix` indexes `matrices` of this layer. */
  readonly groups: readonly AffineGroup[];
}

/** Joins the blocks of each matrix to tiles of the size that the cost table likes best. */
export function tileLayer(matrices: readonly WeightMatrix[], blocks: readonly Block[]): TiledLayer {
  const tiled: WeightMatrix[] = [];
  const groups: AffineGroup[] = [];
  matrices.forEach((matrix, index) => {
    const family = blocks.filter((block) => block.matrix === index);
    if (family.length === 0) return;
    const best = TILE_SIZES.filter((size) => size <= family.length)
      .map((size) => tileFamily(matrix, family, size))
      .filter((tiling) => tiling !== undefined)
      .reduce((a, b) => (costNs(b) < costNs(a) ? b : a));
    const at = tiled.push(best.matrix) - 1;
    for (const group of best.groups) groups.push({ ...group, matrix: at });
  });
  return { matrices: tiled, groups };
}

interface Tiling {
  readonly matrix: WeightMatrix;
  readonly groups: readonly Omit<AffineGroup, "matrix">[];
}

function costNs(tiling: Tiling): number {
  const { k, m, digits } = tiling.matrix;
  return tiling.groups.length * groupNs(k, m, digits.length);
}

/** Where each input of each block of a tile lies in the tile's inputs. */
interface Template {
  readonly size: number;
  readonly width: number;
  /** `[block][k]` */
  readonly slot: readonly Int32Array[];
}

function tileFamily(matrix: WeightMatrix, family: readonly Block[], size: number): Tiling | undefined {
  const template = findTemplate(family, size);
  if (template === undefined) return undefined;
  const groups: Omit<AffineGroup, "matrix">[] = [];
  for (let next = 0; next < family.length; ) {
    let taken = Math.min(size, family.length - next);
    let inputIndex = place(template, family.slice(next, next + taken));
    while (inputIndex === undefined) {
      // One block alone always fits.
      taken--;
      inputIndex = place(template, family.slice(next, next + taken));
    }
    const outputIndex = new Int32Array(size * matrix.m).fill(-1);
    for (let i = 0; i < taken; i++) outputIndex.set(family[next + i]!.outputs, i * matrix.m);
    groups.push({ inputIndex, outputIndex });
    next += taken;
  }
  return { matrix: size === 1 ? matrix : spread(matrix, template), groups };
}

/** Where the tightest run is looked for: layers repeat themselves long before. */
const MAX_TEMPLATE_STARTS = 256;

/** The tightest run of `size` whole blocks: whose inputs overlap most. */
function findTemplate(family: readonly Block[], size: number): Template | undefined {
  let best: Template | undefined;
  for (let first = 0; first + size <= family.length && first < MAX_TEMPLATE_STARTS; first++) {
    const run = family.slice(first, first + size);
    if (size > 1 && run.some((block) => block.inputs.includes(-1))) continue;
    const template = templateOf(run);
    if (best === undefined || template.width < best.width) best = template;
    if (size === 1) break;
  }
  return best;
}

function templateOf(run: readonly Block[]): Template {
  if (run.length === 1) {
    const k = run[0]!.inputs.length;
    return { size: 1, width: k, slot: [Int32Array.from({ length: k }, (_, i) => i)] };
  }
  const union = [...new Set(run.flatMap((block) => [...block.inputs]))].sort((a, b) => a - b);
  const position = new Map(union.map((input, slot) => [input, slot]));
  return {
    size: run.length,
    width: union.length,
    slot: run.map((block) => block.inputs.map((input) => position.get(input)!)),
  };
}

/** The tile's inputs for these blocks, or undefined where the blocks do not lie to each other as in the template. */
function place(template: Template, run: readonly Block[]): Int32Array | undefined {
  const EMPTY = -2;
  const inputs = new Int32Array(template.width).fill(EMPTY);
  for (let b = 0; b < run.length; b++) {
    const slots = template.slot[b]!;
    const block = run[b]!;
    for (let k = 0; k < slots.length; k++) {
      const slot = slots[k]!;
      if (inputs[slot] === EMPTY) inputs[slot] = block.inputs[k]!;
      else if (inputs[slot] !== block.inputs[k]) return undefined;
    }
  }
  return inputs.map((input) => Math.max(input, -1));
}

/** The tile's matrix: each block's weights at its slots and its own columns, zeros elsewhere. */
function spread(matrix: WeightMatrix, template: Template): WeightMatrix {
  const { k, m } = matrix;
  const columns = template.size * m;
  const digits = matrix.digits.map((digit) => {
    const out = new Int8Array(template.width * columns);
    template.slot.forEach((slots, block) => {
      for (let row = 0; row < k; row++) {
        out.set(digit.subarray(row * m, (row + 1) * m), slots[row]! * columns + block * m);
      }
    });
    return out;
  });
  return { k: template.width, m: columns, digitBits: matrix.digitBits, digits };
}
