/** What a lying donor may send instead of an encrypted result. All of them parse: only recomputing tells. */
import { RESULT_HEADER_BYTES } from "#lib/lanes/block.ts";
import type { Lease } from "#lib/protocol/donor.ts";

export type Lie = (result: Uint8Array<ArrayBuffer>, lease: Lease) => Uint8Array<ArrayBuffer>;

const MODULUS_WORD = 7;

function edit(result: Uint8Array<ArrayBuffer>, change: (residues: Uint32Array, q: number) => void) {
  const words = new Uint32Array(result.slice().buffer);
  change(words.subarray(RESULT_HEADER_BYTES / 4), words[MODULUS_WORD] ?? 2);
  return new Uint8Array(words.buffer);
}

/** Makes one lie; those that replay remember what they sent before. */
export const LIES: Readonly<Record<string, () => Lie>> = {
  "random garbage": () => (result) =>
    edit(result, (residues, q) => {
      for (let i = 0; i < residues.length; i++) residues[i] = Math.floor(Math.random() * q);
    }),
  zeros: () => (result) => edit(result, (residues) => residues.fill(0)),
  "one changed lane": () => (result) =>
    edit(result, (residues, q) => {
      residues[residues.length >> 1] = ((residues[residues.length >> 1] ?? 0) + 1) % q;
    }),
  "a constant added to all lanes": () => (result) =>
    edit(result, (residues, q) => {
      for (let i = 0; i < residues.length; i++) residues[i] = ((residues[i] ?? 0) + 12_345) % q;
    }),
  "stale replay of another block": () => {
    let first: Uint8Array<ArrayBuffer> | undefined;
    return (result) => {
      first ??= edit(result, (residues) => residues.reverse());
      return edit(result, (residues, q) => {
        const old = new Uint32Array(first?.slice().buffer ?? result.slice().buffer).subarray(RESULT_HEADER_BYTES / 4);
        for (let i = 0; i < residues.length; i++) residues[i] = (old[i % old.length] ?? 0) % q;
      });
    };
  },
  "the neighbour's lanes": () => (result) =>
    edit(result, (residues) => {
      // Every lane answers for the next one.
      const first = residues.slice(0, residues.length >> 3);
      residues.copyWithin(0, first.length);
      residues.set(first, residues.length - first.length);
    }),
};
