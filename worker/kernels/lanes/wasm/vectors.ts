/** Vector idioms that the parts of the lane kernel share. */
import { type Code, shuffle, v128 } from "./assembler.ts";

/** Lanes per vector. */
export const VECTOR_LANES = 4;
/** Bytes of one value of a vector of lanes. */
export const VECTOR_BYTES = 16;

/** 1.5·2^52: adding it to a float64 of magnitude < 2^51 leaves the rounded integer in the low mantissa bits. */
export const ROUND = 6_755_399_441_055_744;

export const identity = (vector: Code): Code => vector;
/** Lanes 2 and 3, moved to where `convert_low` reads. */
export const highHalf = (vector: Code): Code =>
  shuffle(vector, v128.zero, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
/** Low 32-bit words of the four int64 lanes of a and b. */
export const lowWords = (a: Code, b: Code): Code =>
  shuffle(a, b, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
/** int16 lanes 0, 2, 4, 6 of `even` with lanes 1, 3, 5, 7 of `odd`. */
export const blend = (even: Code, odd: Code): Code =>
  shuffle(even, odd, [0, 1, 18, 19, 4, 5, 22, 23, 8, 9, 26, 27, 12, 13, 30, 31]);
/** Elements of `bytes` bytes of a and b by turns: of their low halves (side 0) or high halves (side 1). */
export const interleave = (bytes: number, side: number, a: Code, b: Code): Code => {
  const lanes: number[] = [];
  for (let at = 8 * side; at < 8 * side + 8; at += bytes) {
    for (const from of [at, at + 16]) for (let i = 0; i < bytes; i++) lanes.push(from + i);
  }
  return shuffle(a, b, lanes);
};
