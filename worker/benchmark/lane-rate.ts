/** How fast lane-simd is here: a dense layer of a lane program on zeros (its time does not depend on the values). */
import { laneBytes, limbCount } from "#lib/lanes/block.ts";
import { redrawWords } from "#lib/lanes/mask.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { openLaneRuntime } from "../kernels/lanes/open-runtime.ts";

/** The largest prime ≡ 1 mod 2^15 below 2^31: four limbs, as encrypted jobs mostly have. */
const PRIME = 2_147_352_577;
const INPUTS = 512;
const OUTPUTS = 64;
const LANES = 32;
/** Polynomials of a ciphertext as encrypted. */
const POLYS = 2;

/**
 * Int8 multiply-adds per second: limbs × polynomials × weights, loading and reducing included. Throws where the runtime does
 * not start or fails its self-test.
 * @param measureMs how long to measure
 */
export async function laneMacsPerSecond(measureMs: number): Promise<number> {
  const program = denseProgram();
  const runtime = await openLaneRuntime("lane-simd");
  const evaluator = await runtime.prepare(program);
  const once = () =>
    evaluator.evaluate({
      primeIndex: 0,
      laneCount: LANES,
      packed: new Uint8Array(LANES * laneBytes(PRIME, INPUTS)),
      mask: {
        planes: new Uint8Array(LANES * limbCount(PRIME) * INPUTS),
        redraws: new Uint8Array(4 * LANES * redrawWords(PRIME, INPUTS)),
      },
    });
  await once();
  const startedMs = performance.now();
  let rounds = 0;
  let spentMs = 0;
  do {
    await once();
    rounds++;
    spentMs = performance.now() - startedMs;
  } while (spentMs < measureMs);
  await evaluator.dispose();
  return (rounds * LANES * POLYS * limbCount(PRIME) * INPUTS * OUTPUTS * 1_000) / spentMs;
}

function denseProgram(): LaneProgram {
  const identity = (length: number) => Int32Array.from({ length }, (_, i) => i);
  const digits = [Int8Array.from({ length: INPUTS * OUTPUTS }, (_, i) => (i % 127) - 63)];
  return {
    version: 1,
    ring: { n: 2048, primes: [PRIME] },
    inputs: INPUTS,
    outputs: OUTPUTS,
    polysOut: POLYS,
    matrices: [{ k: INPUTS, m: OUTPUTS, digitBits: 0, digits }],
    steps: [
      {
        kind: "affine",
        inputs: INPUTS,
        outputs: OUTPUTS,
        groups: [{ inputIndex: identity(INPUTS), matrix: 0, outputIndex: identity(OUTPUTS) }],
        bias: [new Uint32Array(OUTPUTS)],
      },
    ],
  };
}
