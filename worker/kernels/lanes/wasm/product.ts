/**
 * The affine step of the lane kernel: gather pairs of inputs, multiply, reduce, interpret the step's records.
 *
 * r = lo + 2^16·hi with lo = int16(r) and |hi| ≤ 2^14 + 1. `i32x4.dot_i16x8_s` takes two inputs at once: lanes of
 * `[lo of input 2p, lo of input 2p+1]` times the splatted weight pair. A 31-bit residue costs two 16-bit limbs instead of the
 * four 8-bit limbs of an int8 product, at the same number of instructions per limb: half the multiply-adds. Exact while
 * Σ|w| ≤ MAX_COLUMN_WEIGHT per column and pass; longer columns take several passes.
 *
 * Measured (845×100, one thread, WASM in Node on a Zen 4 core, G multiply-adds/s of 16-bit limbs): blocks of 5 columns 43.3,
 * 4: 43.6, 2: 41.9, 1: 33.5. Two multiplies a cycle of eight products each would be 56.
 */
import {
  type Code,
  callIndirect,
  doWhile,
  FunctionBuilder,
  f64,
  f64x2,
  get,
  i32,
  i32x4,
  type Local,
  type ModuleFunction,
  sequence,
  set,
  type ValueType,
  v128,
  when,
} from "./assembler.ts";
import { blend, highHalf, identity, lowWords, ROUND, VECTOR_BYTES } from "./vectors.ts";

/** Bytes of one gathered input pair: a vector of low limbs, a vector of high limbs. */
export const PAIR_BYTES = 32;
/** Σ|w| of a column that one pass may add up: 65,535·2^15 < 2^31. */
export const MAX_COLUMN_WEIGHT = 65_535;
/** Columns that one product function keeps in registers: 2·5 accumulators of 16 registers. */
export const MAX_COLUMNS = 5;
/** Pairs per turn of the product's loop. */
const UNROLL = 2;

/** One instruction of an affine step, as it lies in memory. Offsets in bytes. */
export const RECORD = { bytes: 32, operation: 0, data: 4, pairs: 8, outputs: 12, shift: 16, scale: 24 } as const;

/** Operations of an affine step: table indices in the module. */
export const GATHER = 0;
/** Product with `columns` columns; `first` starts from the bias, otherwise from what the output holds. */
export const productOperation = (columns: number, first: boolean): number => columns * 2 - (first ? 1 : 0);
const AFFINE_TYPE = GATHER;

/** rec, in, out, bias, scratch, q, 1/q. Shared by all operations of an affine step. */
const OPERATION_PARAMS: readonly ValueType[] = ["i32", "i32", "i32", "i32", "i32", "i32", "f64"];

/** Packs pairs of inputs into limb vectors: scratch `[pair][lo, hi][4 lanes]` int16×2. Offsets of inputs are a list of bytes. */
export function gatherFunction(): ModuleFunction {
  const f = new FunctionBuilder(OPERATION_PARAMS);
  const [record, input, , , scratch] = OPERATION_PARAMS.map((_, index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const offsets = f.local("i32");
  const end = f.local("i32");
  const first = f.local("v128");
  const second = f.local("v128");
  const half = f.local("v128");
  const at = (slot: number): Code => v128.load(i32.add(get(input), i32.load(get(offsets), 4 * slot)));
  const body = sequence(
    set(half, i32x4.splat(i32.const(0x8000))),
    set(offsets, i32.load(get(record), RECORD.data)),
    set(end, i32.add(get(offsets), i32.shl(i32.load(get(record), RECORD.pairs), i32.const(3)))),
    doWhile(
      sequence(
        set(first, at(0)),
        set(second, at(1)),
        v128.store(get(scratch), 0, blend(get(first), i32x4.shl(get(second), i32.const(16)))),
        v128.store(
          get(scratch),
          VECTOR_BYTES,
          blend(i32x4.shrU(i32x4.add(get(first), get(half)), i32.const(16)), i32x4.add(get(second), get(half))),
        ),
        set(scratch, i32.add(get(scratch), i32.const(PAIR_BYTES))),
        set(offsets, i32.add(get(offsets), i32.const(8))),
      ),
      i32.ltU(get(offsets), get(end)),
    ),
  );
  return { builder: f, body };
}

export function productFunction(columns: number, first: boolean): ModuleFunction {
  const f = new FunctionBuilder(OPERATION_PARAMS);
  const [record, , out, bias, scratch, q, qInverse] = OPERATION_PARAMS.map((_, index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const lows = Array.from({ length: columns }, () => f.local("v128"));
  const highs = Array.from({ length: columns }, () => f.local("v128"));
  const low = f.local("v128");
  const high = f.local("v128");
  const weight = f.local("v128");
  const weights = f.local("i32");
  const pairs = f.local("i32");
  const end = f.local("i32");
  const offset = f.local("i32");
  const outputs = f.local("i32");
  const shift = f.local("i32");
  const start = f.local("v128");
  const lowFactor = f.local("v128");
  const highFactor = f.local("v128");
  const inverse = f.local("v128");
  const modulus = f.local("v128");
  const integer = f.local("v128");
  const round = f.local("v128");

  const onePair = (u: number): Code =>
    sequence(
      set(low, v128.load(get(scratch), u * PAIR_BYTES)),
      set(high, v128.load(get(scratch), u * PAIR_BYTES + VECTOR_BYTES)),
      ...lows.map((_, c) =>
        sequence(
          set(weight, v128.load32Splat(get(weights), 4 * (u * columns + c))),
          set(lows[c]!, i32x4.add(get(lows[c]!), i32x4.dotI16x8(get(low), get(weight)))),
          set(highs[c]!, i32x4.add(get(highs[c]!), i32x4.dotI16x8(get(high), get(weight)))),
        ),
      ),
    );
  const loop = (unroll: number): Code =>
    doWhile(
      sequence(
        ...Array.from({ length: unroll }, (_, u) => onePair(u)),
        set(scratch, i32.add(get(scratch), i32.const(unroll * PAIR_BYTES))),
        set(weights, i32.add(get(weights), i32.const(unroll * columns * 4))),
      ),
      i32.ltU(get(scratch), get(end)),
    );

  /** round(t/q) as two int64 lanes whose low words count; `part` takes the low or the high two lanes. */
  const quotient = (c: number, part: (vector: Code) => Code): Code =>
    f64x2.add(
      f64x2.add(
        f64x2.add(
          f64x2.mul(f64x2.convertLowI32x4S(part(get(lows[c]!))), get(lowFactor)),
          f64x2.mul(f64x2.convertLowI32x4S(part(get(highs[c]!))), get(highFactor)),
        ),
        f64x2.mul(f64x2.convertLowI32x4S(first ? get(start) : part(get(start))), get(inverse)),
      ),
      get(round),
    );
  const column = (c: number): Code =>
    sequence(
      set(offset, i32.load(get(outputs), 4 * c)),
      set(
        start,
        first
          ? v128.load32Splat(i32.add(get(bias), i32.shrU(get(offset), i32.const(2))))
          : v128.load(i32.add(get(out), get(offset))),
      ),
      set(
        integer,
        i32x4.add(
          i32x4.shl(i32x4.add(get(lows[c]!), i32x4.shl(get(highs[c]!), i32.const(16))), get(shift)),
          get(start),
        ),
      ),
      v128.store(
        i32.add(get(out), get(offset)),
        0,
        i32x4.sub(get(integer), i32x4.mul(lowWords(quotient(c, identity), quotient(c, highHalf)), get(modulus))),
      ),
    );

  const body = sequence(
    set(weights, i32.load(get(record), RECORD.data)),
    set(pairs, i32.load(get(record), RECORD.pairs)),
    when(
      i32.and(get(pairs), i32.const(1)),
      sequence(
        onePair(0),
        set(scratch, i32.add(get(scratch), i32.const(PAIR_BYTES))),
        set(weights, i32.add(get(weights), i32.const(columns * 4))),
        set(pairs, i32.sub(get(pairs), i32.const(1))),
      ),
    ),
    set(end, i32.add(get(scratch), i32.mul(get(pairs), i32.const(PAIR_BYTES)))),
    when(i32.ltU(get(scratch), get(end)), loop(UNROLL)),
    set(outputs, i32.load(get(record), RECORD.outputs)),
    set(shift, i32.load(get(record), RECORD.shift)),
    set(inverse, f64x2.splat(get(qInverse))),
    set(lowFactor, f64x2.mul(get(inverse), f64x2.splat(f64.load(get(record), RECORD.scale)))),
    set(highFactor, f64x2.mul(get(lowFactor), f64x2.splat(f64.const(65_536)))),
    set(round, f64x2.splat(f64.const(ROUND))),
    set(modulus, i32x4.splat(get(q))),
    ...lows.map((_, c) => column(c)),
  );
  return { builder: f, body };
}

/** The interpreter of records: one call runs a whole affine step for one polynomial of one vector of lanes. */
export function affineFunction(): ModuleFunction {
  const params: readonly ValueType[] = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "f64"];
  const f = new FunctionBuilder(params);
  const record = f.param(0);
  const end = f.param(1);
  const body = doWhile(
    sequence(
      callIndirect(
        AFFINE_TYPE,
        i32.load(get(record), RECORD.operation),
        get(record),
        get(f.param(2)),
        get(f.param(3)),
        get(f.param(4)),
        get(f.param(5)),
        get(f.param(6)),
        get(f.param(7)),
      ),
      set(record, i32.add(get(record), i32.const(RECORD.bytes))),
    ),
    i32.ltU(get(record), get(end)),
  );
  return { builder: f, body, exportName: "affine" };
}
