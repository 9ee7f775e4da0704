/** Checks a receipt in the browser that got it, with nothing but the coordinator's public key. */
import { LEAF, NODE, type Receipt, type ReceiptKey, SIGNED_PREFIX } from "#lib/protocol/receipts.ts";

/** Null where this browser's WebCrypto has no Ed25519. */
export async function isReceiptGenuine(receipt: Receipt, key: ReceiptKey): Promise<boolean | null> {
  if (receipt.key !== key.kid) return false;
  let hash = await digest(LEAF, new TextEncoder().encode(receipt.claim));
  for (const { side, hash: beside } of receipt.path) {
    const other = fromBase64Url(beside);
    hash = await (side === "left" ? digest(NODE, other, hash) : digest(NODE, hash, other));
  }
  const text = new TextEncoder().encode(SIGNED_PREFIX + toBase64Url(hash));
  let publicKey: CryptoKey;
  try {
    publicKey = await crypto.subtle.importKey("jwk", { ...key }, "Ed25519", false, ["verify"]);
  } catch {
    return null;
  }
  return crypto.subtle.verify("Ed25519", publicKey, fromBase64Url(receipt.signature), text);
}

async function digest(kind: number, ...parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  bytes[0] = kind;
  let at = 1;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function toBase64Url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
