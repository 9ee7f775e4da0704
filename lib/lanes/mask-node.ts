/**
 * The key streams of mask.ts for scattered lanes, with node:crypto: for audits. A cipher costs 10 µs and more to make and
 * WebCrypto a round trip through a thread, a lane 2 µs of AES: so the counter blocks of all lanes are written out and encrypted
 * in one call (counter mode is ECB of the counters). Measured, 784
 * features: 4 µs a lane with 13 lanes at once; a CTR cipher per lane 48; WebCrypto 69.
 */
import { createCipheriv } from "node:crypto";
import { limbCount } from "./block.ts";
import { AES_BLOCK_BYTES, MASK_STREAM, type MaskStreams, maskCounter, redrawWords } from "./mask.ts";

/** Streams of `lanes` (indices in the ring), one after the other. */
export function scatteredMasksNode(
  seed: Uint8Array,
  q: number,
  features: number,
  primeIndex: number,
  lanes: readonly number[],
): MaskStreams {
  const cipher = createCipheriv("aes-128-ecb", seed, null).setAutoPadding(false);
  const streams = (stream: number, laneSize: number): Uint8Array<ArrayBuffer> => {
    const starts = lanes.map((lane) => maskCounter(stream, primeIndex, lane * laneSize));
    const blocks = starts.map(({ skip }) => Math.ceil((skip + laneSize) / AES_BLOCK_BYTES));
    const counters = new Uint8Array(AES_BLOCK_BYTES * blocks.reduce((sum, count) => sum + count, 0));
    const view = new DataView(counters.buffer);
    let at = 0;
    starts.forEach(({ counter, block }, i) => {
      for (let b = 0; b < blocks[i]!; b++, at += AES_BLOCK_BYTES) {
        counters[at] = counter[0]!;
        counters[at + 1] = counter[1]!;
        // A ring's streams are far shorter than 2^32 blocks: the counter's upper words stay zero.
        view.setUint32(at + 12, block + b);
      }
    });
    const encrypted = cipher.update(counters);
    const all = new Uint8Array(lanes.length * laneSize);
    let from = 0;
    starts.forEach(({ skip }, i) => {
      all.set(encrypted.subarray(from + skip, from + skip + laneSize), i * laneSize);
      from += blocks[i]! * AES_BLOCK_BYTES;
    });
    return all;
  };
  return {
    planes: streams(MASK_STREAM.planes, limbCount(q) * features),
    redraws: streams(MASK_STREAM.redraws, 4 * redrawWords(q, features)),
  };
}
