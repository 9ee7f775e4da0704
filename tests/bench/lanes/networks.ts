/** The lane programs that are measured: the trained network as the compiler makes it, where its file is, and fixed rings. */
import { existsSync, readFileSync } from "node:fs";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { bitLength, nttPrimes } from "#lib/lanes/primes.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { seeded } from "#tests/unit/lanes/arbitrary.ts";
import { cryptoNetsProgram } from "./cryptonets.ts";

export interface Network {
  readonly name: string;
  readonly program: LaneProgram;
}

const N = 8192;
const FOLDER = "../shared/data/mnist";
const PIXELS = 784;
const CALIBRATION_RECORDS = 1000;

export async function networks(): Promise<Network[]> {
  const fixed = [
    { bits: 31, count: 4 },
    { bits: 28, count: 5 },
  ].map(({ bits, count }) => ({
    name: `${count} × ${bits} bits, random weights`,
    program: cryptoNetsProgram(N, nttPrimes(N, bits, count)),
  }));
  const compiled = await compiledNetwork();
  return compiled ? [compiled, ...fixed] : fixed;
}

async function compiledNetwork(): Promise<Network | undefined> {
  const [model, images] = [`${FOLDER}/mnist-cryptonets.onnx`, `${FOLDER}/images.npy`];
  if (!existsSync(model) || !existsSync(images)) {
    console.log(`(${FOLDER} is not here: only random weights are measured)`);
    return undefined;
  }
  const pixels = readFileSync(images).subarray(-8000 * PIXELS);
  const data = Float32Array.from({ length: CALIBRATION_RECORDS * PIXELS }, (_, i) => pixels[i]! / 255);
  const records = { rows: CALIBRATION_RECORDS, features: PIXELS, data };
  const options = { degrees: [N], random: seeded(1) };
  const { members } = await compilePlan([importOnnx(readFileSync(model))], records, options);
  const { program } = members[0]!;
  return { name: `compiled, ${program.ring.primes.map(bitLength).join("+")} bits`, program };
}
