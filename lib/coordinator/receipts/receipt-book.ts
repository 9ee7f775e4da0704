/**
 * Issues receipts. Claims of one turn of the event loop (so: of one group commit) share a signature, because signing costs
 * about forty times what the hashes of a claim cost, and thousands are accepted in a second.
 */
import { createHash, sign } from "node:crypto";
import { LEAF, NODE, type Receipt, type ReceiptClaim, SIGNED_PREFIX } from "#lib/protocol/receipts.ts";
import type { SigningKey } from "./signing-key.ts";

interface Waiting {
  readonly claim: string;
  readonly resolve: (receipt: Receipt) => void;
}
type Path = Receipt["path"];

export class ReceiptBook {
  readonly #key: SigningKey;
  #waiting: Waiting[] = [];

  constructor(key: SigningKey) {
    this.#key = key;
  }

  issue(claim: ReceiptClaim): Promise<Receipt> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#sign());
      this.#waiting.push({ claim: JSON.stringify(claim), resolve });
    });
  }

  #sign(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const { root, paths } = hashTree(waiting.map(({ claim }) => hash(LEAF, Buffer.from(claim))));
    const text = Buffer.from(SIGNED_PREFIX + root.toString("base64url"));
    const signature = sign(null, text, this.#key.privateKey).toString("base64url");
    for (const [index, { claim, resolve }] of waiting.entries()) {
      resolve({ claim, path: paths[index] ?? [], signature, key: this.#key.publicKey.kid });
    }
  }
}

function hash(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  const digest = createHash("sha256").update(Uint8Array.of(kind));
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** A node without a neighbour goes up as it is. @param leaves at least one */
function hashTree(leaves: readonly Buffer[]): { root: Buffer; paths: Path[] } {
  const paths: Path[] = leaves.map(() => []);
  let level = leaves.map((value, leaf) => ({ value, under: [leaf] }));
  while (level.length > 1) {
    const above: typeof level = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at], level[at + 1]];
      if (!left) break;
      if (!right) {
        above.push(left);
        continue;
      }
      for (const leaf of left.under) paths[leaf]?.push({ side: "right", hash: right.value.toString("base64url") });
      for (const leaf of right.under) paths[leaf]?.push({ side: "left", hash: left.value.toString("base64url") });
      above.push({ value: hash(NODE, left.value, right.value), under: [...left.under, ...right.under] });
    }
    level = above;
  }
  return { root: level[0]?.value ?? hash(LEAF), paths };
}
