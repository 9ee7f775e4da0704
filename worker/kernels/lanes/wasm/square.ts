/**
 * Element-wise steps of the lane kernel: polynomial squares, and products with one constant.
 *
 * Measured (845 values, 2 → 3 polynomials, Zen 4): 0.27 ns per residue; the same in JavaScript (double quotient, Math.imul) 2.0.
 */
import {
  type Code,
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
  v128,
} from "./assembler.ts";
import { highHalf, identity, lowWords, ROUND, VECTOR_BYTES } from "./vectors.ts";

/** Polynomials of a square's input that functions exist for: d squares from fresh ciphertexts make 2, 3, 5, 9. */
export const SQUARE_POLYS = [2, 3, 5, 9] as const;

/** (c0, …, c_{p−1}) → Σ_{i+j=k} c_i·c_j for k < 2p − 1, value by value. Params: in, inStride, out, outStride, width, q, 1/q. */
export function squareFunction(polys: number): ModuleFunction {
  const f = new FunctionBuilder(["i32", "i32", "i32", "i32", "i32", "i32", "f64"]);
  const [input, inStride, out, outStride, width, q, qInverse] = f.params.map((_, index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const end = f.local("i32");
  const from = f.local("i32");
  const to = f.local("i32");
  const modulus = f.local("v128");
  const inverse = f.local("v128");
  const round = f.local("v128");
  const words = Array.from({ length: polys }, () => f.local("v128"));
  const lowFloats = Array.from({ length: polys }, () => f.local("v128"));
  const highFloats = Array.from({ length: polys }, () => f.local("v128"));
  const loads = words.map((word, p) =>
    sequence(
      set(word, v128.load(get(from))),
      set(lowFloats[p]!, f64x2.convertLowI32x4S(get(word))),
      set(highFloats[p]!, f64x2.convertLowI32x4S(highHalf(get(word)))),
      set(from, i32.add(get(from), get(inStride))),
    ),
  );
  /** Σ_{i+j=k} c_i·c_j with each unordered pair once: twice the mixed products plus the pure one. */
  const convolve = (k: number, multiply: (i: number, j: number) => Code, sum: (a: Code, b: Code) => Code): Code => {
    const mixed: Code[] = [];
    for (let i = Math.max(0, k - polys + 1); i < k - i; i++) mixed.push(multiply(i, k - i));
    const twice = [...mixed, ...mixed];
    const terms = k % 2 === 0 ? [...twice, multiply(k / 2, k / 2)] : twice;
    return terms.reduce((total, term) => sum(total, term));
  };
  const outputs = Array.from({ length: 2 * polys - 1 }, (_, k) => {
    const quotient = (floats: readonly Local[]): Code =>
      f64x2.add(
        f64x2.mul(
          convolve(k, (i, j) => f64x2.mul(get(floats[i]!), get(floats[j]!)), f64x2.add),
          get(inverse),
        ),
        get(round),
      );
    const integer = convolve(k, (i, j) => i32x4.mul(get(words[i]!), get(words[j]!)), i32x4.add);
    return sequence(
      v128.store(
        get(to),
        0,
        i32x4.sub(integer, i32x4.mul(lowWords(quotient(lowFloats), quotient(highFloats)), get(modulus))),
      ),
      set(to, i32.add(get(to), get(outStride))),
    );
  });
  const body = sequence(
    set(modulus, i32x4.splat(get(q))),
    set(inverse, f64x2.splat(get(qInverse))),
    set(round, f64x2.splat(f64.const(ROUND))),
    set(end, i32.add(get(input), i32.shl(get(width), i32.const(4)))),
    doWhile(
      sequence(
        set(from, get(input)),
        set(to, get(out)),
        ...loads,
        ...outputs,
        set(input, i32.add(get(input), i32.const(VECTOR_BYTES))),
        set(out, i32.add(get(out), i32.const(VECTOR_BYTES))),
      ),
      i32.ltU(get(input), get(end)),
    ),
  );
  return { builder: f, body, exportName: `square${polys}` };
}

/** Params: in, out, width, factor, q, 1/q. */
export function scaleFunction(): ModuleFunction {
  const f = new FunctionBuilder(["i32", "i32", "i32", "i32", "i32", "f64"]);
  const [input, out, width, factor, q, qInverse] = f.params.map((_, index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const end = f.local("i32");
  const value = f.local("v128");
  const factors = f.local("v128");
  const ratio = f.local("v128");
  const modulus = f.local("v128");
  const round = f.local("v128");
  const quotient = (part: (vector: Code) => Code): Code =>
    f64x2.add(f64x2.mul(f64x2.convertLowI32x4S(part(get(value))), get(ratio)), get(round));
  const body = sequence(
    set(factors, i32x4.splat(get(factor))),
    set(ratio, f64x2.mul(f64x2.convertLowI32x4S(get(factors)), f64x2.splat(get(qInverse)))),
    set(modulus, i32x4.splat(get(q))),
    set(round, f64x2.splat(f64.const(ROUND))),
    set(end, i32.add(get(input), i32.shl(get(width), i32.const(4)))),
    doWhile(
      sequence(
        set(value, v128.load(get(input))),
        v128.store(
          get(out),
          0,
          i32x4.sub(
            i32x4.mul(get(value), get(factors)),
            i32x4.mul(lowWords(quotient(identity), quotient(highHalf)), get(modulus)),
          ),
        ),
        set(input, i32.add(get(input), i32.const(VECTOR_BYTES))),
        set(out, i32.add(get(out), i32.const(VECTOR_BYTES))),
      ),
      i32.ltU(get(input), get(end)),
    ),
  );
  return { builder: f, body, exportName: "scale" };
}
