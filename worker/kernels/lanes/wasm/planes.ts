/**
 * The way in: lanes as they come (lib/lanes/block.ts, mask.ts) to balanced residues `[feature][4 lanes]`, sixteen features of four
 * lanes a turn, transposed in registers. Turns are whole: they read and write past the last feature, up to the next multiple
 * of 16, and what they find there is never used.
 *
 * A packed residue is not checked against its prime here: one that is too large is still the residue class that it says
 * (|x − q| stays far below 2^31), and the result's residues are reduced.
 */
import {
  type Code,
  doWhile,
  FunctionBuilder,
  get,
  i8x16,
  i16x8,
  i32,
  i32x4,
  type Local,
  type ModuleFunction,
  sequence,
  set,
  v128,
  when,
} from "./assembler.ts";
import { interleave, VECTOR_BYTES, VECTOR_LANES } from "./vectors.ts";

/** Features that one turn takes. */
export const PLANE_FEATURES = 16;
/** Bytes that a turn may read past the end of its lanes. */
export const PLANE_SLACK_BYTES = 64;

/** Forms of a packed lane: whole limbs, and whether a bit-packed one follows (primes of 17–23, 24, 25–31 bits). */
export const PACKED_FORMS = [
  { whole: 2, top: true },
  { whole: 3, top: false },
  { whole: 3, top: true },
] as const;
export type PackedForm = (typeof PACKED_FORMS)[number];
export const packedForm = (bits: number): PackedForm =>
  PACKED_FORMS.find(({ whole, top }) => whole === bits >> 3 && top === (bits & 7) > 0)!;
export const packedName = ({ whole, top }: PackedForm): string => `loadPacked${whole}${top ? "b" : ""}`;

/** Limbs of a mask's residues. */
export const MASK_LIMBS = [3, 4] as const;

/**
 * How to spread sixteen b-bit fields to bytes, as the kernel reads it: per half of eight fields a swizzle that brings each field's
 * two bytes to its int16 and a multiplier that moves it to the int16's top.
 */
export const FIELD_TABLE_BYTES = 64;
export function fieldTable(bits: number): Uint8Array {
  const table = new Uint8Array(FIELD_TABLE_BYTES);
  const multipliers = new DataView(table.buffer);
  for (let field = 0; field < PLANE_FEATURES; field++) {
    const half = 32 * (field >> 3);
    const slot = 2 * (field & 7);
    const firstBit = field * bits;
    table[half + slot] = firstBit >> 3;
    table[half + slot + 1] = (firstBit >> 3) + 1;
    multipliers.setUint16(half + 16 + slot, 2 ** (16 - bits - (firstBit & 7)), true);
  }
  return table;
}

/** Registers of one turn, and the code that ends it: four lanes' limbs to residues `[16 features][4 lanes]` at `out`. */
class Turn {
  readonly limb: readonly Local[];
  private readonly low: Local;
  private readonly high: Local;
  private readonly value: Local;
  private readonly rows: readonly (readonly Local[])[];

  constructor(f: FunctionBuilder) {
    this.limb = Array.from({ length: 4 }, () => f.local("v128"));
    this.low = f.local("v128");
    this.high = f.local("v128");
    this.value = f.local("v128");
    this.rows = Array.from({ length: VECTOR_LANES }, () => Array.from({ length: 4 }, () => f.local("v128")));
  }

  /** Takes the four limb registers as lane `lane`: sixteen residues as four vectors of four. */
  takeLane(lane: number): Code {
    const { low, high, limb } = this;
    const row = this.rows[lane]!;
    return sequence(
      ...[0, 1].map((side) =>
        sequence(
          set(low, interleave(1, side, get(limb[0]!), get(limb[1]!))),
          set(high, interleave(1, side, get(limb[2]!), get(limb[3]!))),
          set(row[2 * side]!, interleave(2, 0, get(low), get(high))),
          set(row[2 * side + 1]!, interleave(2, 1, get(low), get(high))),
        ),
      ),
    );
  }

  /** Transposes to `[feature][lane]`, hands each vector to `finish` (an expression of the raw residues) and stores it. */
  store(out: Local, finish: (raw: Local) => { before: Code; value: Code }): Code {
    const { low, high, value } = this;
    const parts: Code[] = [];
    for (let quarter = 0; quarter < 4; quarter++) {
      const [a, b, c, d] = this.rows.map((row) => get(row[quarter]!)) as [Code, Code, Code, Code];
      for (const side of [0, 1]) {
        parts.push(set(low, interleave(4, side, a, b)), set(high, interleave(4, side, c, d)));
        for (const odd of [0, 1]) {
          parts.push(set(value, interleave(8, odd, get(low), get(high))));
          const { before, value: finished } = finish(value);
          parts.push(before, v128.store(get(out), VECTOR_BYTES * (4 * quarter + 2 * side + odd), finished));
        }
      }
    }
    return sequence(...parts);
  }
}

/** x − q where x > q/2. */
const centred = (value: Code, half: Local, modulus: Local): Code =>
  i32x4.sub(value, v128.and(i32x4.gtS(value, get(half)), get(modulus)));

/** Params: lanes, bytes per lane, features, out, q, field table, 16 − bits of the packed limb. */
export function loadPackedFunction(form: PackedForm): ModuleFunction {
  const f = new FunctionBuilder(["i32", "i32", "i32", "i32", "i32", "i32", "i32"]);
  const [lanes, laneBytes, features, out, q, table, fieldShift] = f.params.map((_, index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const end = f.local("i32");
  const plane = f.local("i32");
  const lane = f.local("i32");
  /** Where the turn's bit-packed limbs start, as bytes after the lane's whole limbs' turn. */
  const top = f.local("i32");
  const topStep = f.local("i32");
  const modulus = f.local("v128");
  const half = f.local("v128");
  const tables = Array.from({ length: 4 }, () => f.local("v128"));
  const turn = new Turn(f);
  const topLimb = turn.limb[form.whole]!;

  const fields = (swizzle: Local, multiplier: Local): Code =>
    i16x8.shrU(i16x8.mul(i8x16.swizzle(get(topLimb), get(swizzle)), get(multiplier)), get(fieldShift));
  const loadLane = (index: number): Code =>
    sequence(
      set(plane, get(lane)),
      ...turn.limb.map((register, limb) => {
        if (limb < form.whole) {
          return sequence(set(register, v128.load(get(plane))), set(plane, i32.add(get(plane), get(features))));
        }
        if (limb > form.whole || !form.top) return set(register, v128.zero);
        return sequence(
          set(register, v128.load(i32.add(get(plane), get(top)))),
          set(register, i8x16.narrowI16x8U(fields(tables[0]!, tables[1]!), fields(tables[2]!, tables[3]!))),
        );
      }),
      turn.takeLane(index),
      set(lane, i32.add(get(lane), get(laneBytes))),
    );
  const body = sequence(
    set(modulus, i32x4.splat(get(q))),
    set(half, i32x4.shrU(get(modulus), i32.const(1))),
    ...tables.map((register, i) => set(register, v128.load(get(table), 16 * i))),
    set(end, i32.add(get(lanes), get(features))),
    // A turn's fields are 2·bits bytes, its whole limbs 16: the difference is carried in `top`.
    set(topStep, i32.sub(i32.mul(i32.sub(i32.const(16), get(fieldShift)), i32.const(2)), i32.const(PLANE_FEATURES))),
    doWhile(
      sequence(
        set(lane, get(lanes)),
        ...[0, 1, 2, 3].map(loadLane),
        turn.store(out, (raw) => ({ before: [], value: centred(get(raw), half, modulus) })),
        set(top, i32.add(get(top), get(topStep))),
        set(lanes, i32.add(get(lanes), i32.const(PLANE_FEATURES))),
        set(out, i32.add(get(out), i32.const(PLANE_FEATURES * VECTOR_BYTES))),
      ),
      i32.ltU(get(lanes), get(end)),
    ),
  );
  return { builder: f, body, exportName: packedName(form) };
}

/**
 * Params: planes `[4 lanes][limb][features]` of the mask stream, features, out, q, 2^bits − 1, flagged. Turns with a residue that
 * is not below q are listed as u32 at `flagged` (count, then turns): about one draw in a thousand needs the redraw stream.
 */
export function loadMaskFunction(limbs: number): ModuleFunction {
  const f = new FunctionBuilder(["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [planes, features, out, q, bitMask, flagged] = f.params.map((_, index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const end = f.local("i32");
  const plane = f.local("i32");
  const index = f.local("i32");
  const count = f.local("i32");
  const modulus = f.local("v128");
  const half = f.local("v128");
  const most = f.local("v128");
  const mask = f.local("v128");
  const over = f.local("v128");
  const turn = new Turn(f);

  const loadLane = (lane: number): Code =>
    sequence(
      ...turn.limb.map((register, limb) =>
        limb < limbs
          ? sequence(set(register, v128.load(get(plane))), set(plane, i32.add(get(plane), get(features))))
          : set(register, v128.zero),
      ),
      turn.takeLane(lane),
    );
  const body = sequence(
    set(modulus, i32x4.splat(get(q))),
    set(half, i32x4.shrU(get(modulus), i32.const(1))),
    set(most, i32x4.splat(i32.sub(get(q), i32.const(1)))),
    set(mask, i32x4.splat(get(bitMask))),
    set(end, i32.add(get(planes), get(features))),
    doWhile(
      sequence(
        set(plane, get(planes)),
        set(over, v128.zero),
        ...[0, 1, 2, 3].map(loadLane),
        turn.store(out, (raw) => ({
          before: sequence(
            set(raw, v128.and(get(raw), get(mask))),
            set(over, v128.or(get(over), i32x4.gtS(get(raw), get(most)))),
          ),
          value: centred(get(raw), half, modulus),
        })),
        when(
          v128.anyTrue(get(over)),
          sequence(
            set(count, i32.add(get(count), i32.const(1))),
            i32.store(i32.add(get(flagged), i32.shl(get(count), i32.const(2))), 0, get(index)),
          ),
        ),
        set(index, i32.add(get(index), i32.const(1))),
        set(planes, i32.add(get(planes), i32.const(PLANE_FEATURES))),
        set(out, i32.add(get(out), i32.const(PLANE_FEATURES * VECTOR_BYTES))),
      ),
      i32.ltU(get(planes), get(end)),
    ),
    i32.store(get(flagged), 0, get(count)),
  );
  return { builder: f, body, exportName: `loadMask${limbs}` };
}
