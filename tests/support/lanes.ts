/** Lanes as bytes, for tests. */
import { limbCount, readResidue } from "#lib/lanes/block.ts";

/** Residues by lane as limb planes `[lane][limb][feature]`. */
export function limbPlanes(lanes: readonly Uint32Array[], q: number): Uint8Array<ArrayBuffer> {
  const limbs = limbCount(q);
  const features = lanes[0]!.length;
  const planes = new Uint8Array(lanes.length * limbs * features);
  lanes.forEach((residues, lane) => {
    residues.forEach((value, f) => {
      for (let limb = 0; limb < limbs; limb++) {
        planes[(lane * limbs + limb) * features + f] = (value >>> (8 * limb)) & 255;
      }
    });
  });
  return planes;
}

/** The residues of one lane of limb planes. */
export function residuesOf(planes: Uint8Array, q: number, features: number, lane: number): Uint32Array {
  const limbs = limbCount(q);
  const base = lane * limbs * features;
  return Uint32Array.from({ length: features }, (_, f) => readResidue(planes, base + f, limbs, features));
}
