/**
 * A WebAssembly assembler for the few instructions that the lane kernel needs: generated code instead of a binary in the
 * repository, so that what runs on a donor can be read here, and no toolchain is needed to build it.
 *
 * An expression is its bytes, in order: `i32x4.add(a, b)` is a's bytes, b's bytes, then the opcode. Encodings:
 * WebAssembly Core Specification 2.0, §5 (binary format), with the fixed-width SIMD instructions.
 */

/** Bytes of an expression or of a sequence of instructions, nested as they were put together; flattened once, at the end. */
export type Code = number | readonly Code[];

export type ValueType = "i32" | "f64" | "v128";

/** A parameter or local of one function. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

const VALUE_TYPE: Record<ValueType, number> = { i32: 0x7f, f64: 0x7c, v128: 0x7b };
const SIMD = 0xfd;

export function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest ? low | 0x80 : low);
  } while (rest);
  return bytes;
}

export function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

const f64Bytes = (value: number): number[] => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return Array.from(new Uint8Array(view.buffer));
};

// ---- locals and control -------------------------------------------------------------------------------------------

export const get = (local: Local): Code => [0x20, ...unsignedLeb(local.index)];
export const set = (local: Local, value: Code): Code => [value, 0x21, ...unsignedLeb(local.index)];
export const sequence = (...parts: readonly Code[]): Code => parts;

/** Repeats `body` while `condition` (evaluated after it) is not zero: a do-while loop. */
export const doWhile = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0x00, 0x0b];
export const when = (condition: Code, body: Code): Code => [condition, 0x04, 0x40, body, 0x0b];
/** Calls table entry `element` with `args`; `type` is the index of the function type. */
export const callIndirect = (type: number, element: Code, ...args: readonly Code[]): Code => [
  args,
  element,
  0x11,
  ...unsignedLeb(type),
  0x00,
];

// ---- instructions -------------------------------------------------------------------------------------------------

const plain =
  (...opcode: readonly number[]) =>
  (...operands: readonly Code[]): Code => [operands, opcode];
const simd = (opcode: number) => plain(SIMD, ...unsignedLeb(opcode));
const memory =
  (opcode: readonly number[], alignLog2: number) =>
  (address: Code, offset = 0, value: Code = []): Code => [address, value, opcode, alignLog2, unsignedLeb(offset)];
const simdMemory = (opcode: number, alignLog2: number) => memory([SIMD, ...unsignedLeb(opcode)], alignLog2);

export const i32 = {
  const: (value: number): Code => [0x41, ...signedLeb(value)],
  load: memory([0x28], 2),
  store: memory([0x36], 2),
  ltU: plain(0x49),
  add: plain(0x6a),
  sub: plain(0x6b),
  mul: plain(0x6c),
  and: plain(0x71),
  shl: plain(0x74),
  shrU: plain(0x76),
};

export const f64 = {
  const: (value: number): Code => [0x44, ...f64Bytes(value)],
  load: memory([0x2b], 3),
};

export const v128 = {
  load: simdMemory(0x00, 4),
  load32Splat: simdMemory(0x09, 2),
  store: simdMemory(0x0b, 4),
  zero: [SIMD, 0x0c, ...new Array<number>(16).fill(0)] as Code,
  and: simd(0x4e),
  or: simd(0x50),
  anyTrue: simd(0x53),
};

/** Picks 16 bytes of the 32 bytes of a and b. */
export const shuffle = (a: Code, b: Code, lanes: readonly number[]): Code => [a, b, SIMD, 0x0d, lanes];

export const i8x16 = {
  swizzle: simd(0x0e),
  narrowI16x8U: simd(0x66),
};

export const i16x8 = {
  shrU: simd(0x8d),
  mul: simd(0x95),
};

export const i32x4 = {
  splat: simd(0x11),
  gtS: simd(0x3b),
  shl: simd(0xab),
  shrU: simd(0xad),
  add: simd(0xae),
  sub: simd(0xb1),
  mul: simd(0xb5),
  /** Σ of two neighbouring int16 products, as int32. */
  dotI16x8: simd(0xba),
};

export const f64x2 = {
  splat: simd(0x14),
  add: simd(0xf0),
  mul: simd(0xf2),
  convertLowI32x4S: simd(0xfe),
};

// ---- functions and modules ----------------------------------------------------------------------------------------

export class FunctionBuilder {
  readonly params: readonly ValueType[];
  private readonly locals: ValueType[] = [];

  constructor(params: readonly ValueType[]) {
    this.params = params;
  }

  param(index: number): Local {
    return { index, type: this.params[index]! };
  }

  local(type: ValueType): Local {
    this.locals.push(type);
    return { index: this.params.length + this.locals.length - 1, type };
  }

  /** Function body as the code section holds it: its locals, its instructions, end. */
  encode(body: Code): number[] {
    const locals = this.locals.flatMap((type) => [1, VALUE_TYPE[type]]);
    return sized([...unsignedLeb(this.locals.length), ...locals, ...flat(body), 0x0b]);
  }
}

export interface ModuleFunction {
  readonly builder: FunctionBuilder;
  readonly body: Code;
  /** Exported under this name; none: reached through the table only. */
  readonly exportName?: string;
}

/**
 * A module of functions without results that works on one imported memory (`env.memory`). Function i is also entry i of
 * its table. `typeOf(i)` in `callIndirect` is i: each function has its own entry in the type section.
 */
export function assembleModule(functions: readonly ModuleFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ builder }) => [
    0x60,
    ...unsignedLeb(builder.params.length),
    ...builder.params.map((type) => VALUE_TYPE[type]),
    0x00,
  ]);
  const exported = functions.flatMap(({ exportName }, index) =>
    exportName === undefined ? [] : [[...name(exportName), 0x00, ...unsignedLeb(index)]],
  );
  const indices = functions.map((_, index) => unsignedLeb(index));
  const memoryImport = [...name("env"), ...name("memory"), 0x02, 0x00, 0x01];
  const allFunctions = [0x00, ...flat(i32.const(0)), 0x0b, ...vector(indices)];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([memoryImport])),
    ...section(3, vector(indices)),
    ...section(4, vector([[0x70, 0x00, ...unsignedLeb(functions.length)]])),
    ...section(7, vector(exported)),
    ...section(9, vector([allFunctions])),
    ...section(10, vector(functions.map(({ builder, body }) => builder.encode(body)))),
  ]);
}

function flat(code: Code, into: number[] = []): number[] {
  if (typeof code === "number") into.push(code);
  else for (const part of code) flat(part, into);
  return into;
}

const sized = (bytes: readonly number[]): number[] => [...unsignedLeb(bytes.length), ...bytes];
const vector = (items: readonly (readonly number[])[]): number[] => [...unsignedLeb(items.length), ...items.flat()];
const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)];
const name = (text: string): number[] => sized(Array.from(new TextEncoder().encode(text)));
