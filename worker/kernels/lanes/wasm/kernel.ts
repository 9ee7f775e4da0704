/**
 * The lane kernel: modular affine steps and squares on four lanes at a time, as generated WebAssembly SIMD.
 *
 * Values are *balanced residues*: int32 r ≡ value (mod q) with |r| ≤ q/2 + 2^10, q < 2^31. A value of four lanes is one
 * v128; the state of one polynomial is `[value][4 lanes]` int32, so lanes never mix and nothing is transposed between steps.
 *
 * Reduction. With t ≈ the exact integer as float64 and k = round(t/q) (by adding 1.5·2^52, whose low mantissa word is then
 * k mod 2^32), r = low32(exact) − low32(k·q). Only low words are computed, so nothing overflows that matters; t needs a
 * relative error below 2^-40 only. |k| < 2^50 always.
 */
import { assembleModule, type ModuleFunction } from "./assembler.ts";
import { loadMaskFunction, loadPackedFunction, MASK_LIMBS, PACKED_FORMS, packedForm, packedName } from "./planes.ts";
import { affineFunction, gatherFunction, MAX_COLUMNS, productFunction } from "./product.ts";
import { SQUARE_POLYS, scaleFunction, squareFunction } from "./square.ts";

/** The module's exports. All pointers are byte offsets in its memory; every function ends without a result. */
export interface LaneKernel {
  /** Runs records `[from, end)` of an affine step for one polynomial of one vector of lanes. */
  readonly affine: (
    from: number,
    end: number,
    input: number,
    output: number,
    bias: number,
    scratch: number,
    q: number,
    qInverse: number,
  ) => void;
  /** By polynomials per input: squares `width` values of polynomials a stride of bytes apart. */
  readonly square: Readonly<Record<number, SquareFunction>>;
  /** out = factor·in for `width` values of one polynomial; the factor is a balanced residue. */
  readonly scale: (input: number, output: number, width: number, factor: number, q: number, qInverse: number) => void;
  /** Four packed lanes of a payload to one polynomial's `[feature][4 lanes]`. */
  readonly loadPacked: (bits: number) => LoadPackedFunction;
  /** By limbs per residue: four lanes of the mask stream to one polynomial, and the list of turns that need redraws. */
  readonly loadMask: Readonly<Record<number, LoadMaskFunction>>;
}

export type SquareFunction = (
  input: number,
  inStride: number,
  output: number,
  outStride: number,
  width: number,
  q: number,
  qInverse: number,
) => void;

export type LoadPackedFunction = (
  lanes: number,
  laneBytes: number,
  features: number,
  output: number,
  q: number,
  table: number,
  fieldShift: number,
) => void;

export type LoadMaskFunction = (
  planes: number,
  features: number,
  output: number,
  q: number,
  bitMask: number,
  flagged: number,
) => void;

let compiled: Promise<WebAssembly.Module> | undefined;

/** An instance of the kernel on `memory`. The module is assembled and compiled once per realm. */
export async function instantiateLaneKernel(memory: WebAssembly.Memory): Promise<LaneKernel> {
  compiled ??= WebAssembly.compile(laneKernelModule());
  const { exports } = await WebAssembly.instantiate(await compiled, { env: { memory } });
  const pick = (name: string): never => exports[name] as never;
  return {
    affine: pick("affine"),
    square: Object.fromEntries(SQUARE_POLYS.map((polys) => [polys, pick(`square${polys}`)])),
    scale: pick("scale"),
    loadPacked: (bits) => pick(packedName(packedForm(bits))),
    loadMask: Object.fromEntries(MASK_LIMBS.map((limbs) => [limbs, pick(`loadMask${limbs}`)])),
  };
}

export function laneKernelModule(): Uint8Array<ArrayBuffer> {
  const functions: ModuleFunction[] = [gatherFunction()];
  for (let columns = 1; columns <= MAX_COLUMNS; columns++) {
    functions.push(productFunction(columns, true), productFunction(columns, false));
  }
  functions.push(affineFunction());
  for (const polys of SQUARE_POLYS) functions.push(squareFunction(polys));
  functions.push(scaleFunction());
  for (const form of PACKED_FORMS) functions.push(loadPackedFunction(form));
  for (const limbs of MASK_LIMBS) functions.push(loadMaskFunction(limbs));
  return assembleModule(functions);
}
