/**
 * Who a volunteer is: the holder of a P-256 key pair that lives in their browser. The public key makes the id, and every
 * request on its behalf is signed (ECDSA, SHA-256) over this server's host and the moment, so that neither another server
 * nor a later listener can use the signature. P-256, because every browser's WebCrypto has it.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { FluxError } from "#lib/protocol/errors.ts";
import { makeId, type VolunteerId } from "#lib/protocol/ids.ts";
import { identityText, type SignedIdentity } from "#lib/protocol/volunteer-identity.ts";

/** Clocks of strangers differ by minutes; a signature is of no use to anybody after that. */
const SIGNATURE_AGE_MS = 10 * 60_000;

/**
 * @param host of this coordinator, as the volunteer's browser sees it
 * @throws FluxError forbidden where the signature is not the key's, is old, or was made for another server
 */
export function volunteerOf(identity: SignedIdentity, host: string, nowMs: number): VolunteerId {
  const { publicKey, atMs, signature } = identity;
  if (Math.abs(nowMs - atMs) > SIGNATURE_AGE_MS) {
    throw new FluxError(
      "forbidden",
      "The signature is too old or this device's clock is wrong: correct it and reload.",
    );
  }
  const text = Buffer.from(identityText(host, atMs));
  if (!isSignedBy(publicKey, text, signature)) {
    throw new FluxError(
      "forbidden",
      "The signature does not belong to this key: export, forget and make the key anew.",
    );
  }
  return makeId("vol", createHash("sha256").update(Buffer.from(publicKey, "base64url")).digest().subarray(0, 20));
}

/** @param publicKey an uncompressed point: 0x04, x and y of 32 bytes each, base64url */
function isSignedBy(publicKey: string, text: Uint8Array, signature: string): boolean {
  const point = Buffer.from(publicKey, "base64url");
  if (point.length !== 65 || point[0] !== 4) return false;
  const coordinate = (from: number) => point.subarray(from, from + 32).toString("base64url");
  try {
    const key = createPublicKey({
      key: { kty: "EC", crv: "P-256", x: coordinate(1), y: coordinate(33) },
      format: "jwk",
    });
    return verify("sha256", text, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
  } catch {
    return false;
  }
}
