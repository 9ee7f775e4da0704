/**
 * The baseline: the same network through node-seal's own API, as a reader of SEAL's examples would write it. Batch packing, one
 * ciphertext per value; per layer multiplyPlain and add per weight, rescale per output; square, relinearize, rescale.
 * The chain drops a prime per rescale, so later layers are cheaper. Weights count as encoded beforehand.
 *
 * The whole network takes half a minute and more, so a sample of each operation is timed at its level of the chain and multiplied
 * by how often the network does it.
 */
import createSeal from "node-seal";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { measure } from "./measure.ts";

const CHAIN_BITS = [40, 30, 30, 30, 30, 40];
const SCALE = 2 ** 30;
/** Operations per timed sample. */
const SAMPLE = { plain: 40, square: 8 };

export interface SealBaseline {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly layers: readonly { readonly name: string; readonly operations: number; readonly cpuMs: number }[];
}

export async function measureSealApi(program: LaneProgram): Promise<SealBaseline> {
  const seal = await createSeal();
  const parameters = new seal.EncryptionParameters(seal.SchemeType.ckks);
  parameters.setPolyModulusDegree(program.ring.n);
  parameters.setCoeffModulus(seal.CoeffModulus.Create(program.ring.n, Int32Array.from(CHAIN_BITS)));
  const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc128);
  const generator = new seal.KeyGenerator(context);
  const relinKeys = generator.createRelinKeys();
  const encryptor = new seal.Encryptor(context, generator.createPublicKey());
  const encoder = new seal.CKKSEncoder(context);
  const evaluator = new seal.Evaluator(context);

  const slots = new Float64Array(program.ring.n / 2).fill(0.5);
  const plain = new seal.Plaintext();
  encoder.encode(slots, SCALE, plain);
  const input = new seal.Ciphertext();
  encryptor.encrypt(plain, input);
  const product = new seal.Ciphertext();

  const layers: { name: string; operations: number; cpuMs: number }[] = [];
  let wallMs = 0;
  const timed = async (name: string, count: number, sample: number, work: () => void) => {
    const perSample = await measure(5, work);
    layers.push({ name, operations: count, cpuMs: (perSample.cpuMs * count) / sample });
    wallMs += (perSample.wallMs * count) / sample;
  };

  for (const step of program.steps) {
    const level = `${input.coeffModulusSize()} primes`;
    if (step.kind === "affine") {
      const weights = step.groups.reduce((sum, group) => {
        const taps = group.inputIndex.filter((index) => index >= 0).length;
        return sum + taps * group.outputIndex.length;
      }, 0);
      // The last layer has room for a small scale only.
      const weight = new seal.Plaintext();
      encoder.encode(slots, input.coeffModulusSize() > 1 ? SCALE : 2 ** 8, weight);
      if (input.coeffModulusSize() < CHAIN_BITS.length - 1) evaluator.plainModSwitchToInplace(weight, input.parmsId());
      const sum = new seal.Ciphertext();
      evaluator.multiplyPlain(input, weight, sum);
      await timed(`multiplyPlain + add, ${level}`, weights, SAMPLE.plain, () => {
        for (let i = 0; i < SAMPLE.plain; i++) {
          evaluator.multiplyPlain(input, weight, product);
          evaluator.addInplace(sum, product);
        }
      });
      if (input.coeffModulusSize() > 1) {
        await timed(`rescale, ${level}`, step.outputs, SAMPLE.square, () => {
          for (let i = 0; i < SAMPLE.square; i++) evaluator.rescaleToNext(sum, product);
        });
        evaluator.rescaleToNext(sum, input);
      }
    } else {
      await timed(`square + relinearize + rescale, ${level}`, step.width, SAMPLE.square, () => {
        for (let i = 0; i < SAMPLE.square; i++) {
          evaluator.square(input, product);
          evaluator.relinearizeInplace(product, relinKeys);
          evaluator.rescaleToNextInplace(product);
        }
      });
      evaluator.squareInplace(input);
      evaluator.relinearizeInplace(input, relinKeys);
      evaluator.rescaleToNextInplace(input);
    }
  }
  return { wallMs, cpuMs: layers.reduce((sum, layer) => sum + layer.cpuMs, 0), layers };
}
