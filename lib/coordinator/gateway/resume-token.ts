/** What lets a donor take up its id after a broken connection: the id, signed by this coordinator (HMAC-SHA-256). */
import { createHmac, timingSafeEqual } from "node:crypto";
import { DonorId } from "#lib/protocol/ids.ts";

const sign = (secret: Uint8Array, donorId: DonorId) =>
  createHmac("sha256", secret).update(`flux donor ${donorId}`).digest();

export function makeResumeToken(secret: Uint8Array, donorId: DonorId): string {
  return `${donorId}.${sign(secret, donorId).toString("base64url")}`;
}

/** The donor's id; undefined for a token that this coordinator did not make. */
export function readResumeToken(secret: Uint8Array, token: string): DonorId | undefined {
  const [id, signature = ""] = token.split(".", 2);
  const donorId = DonorId.safeParse(id);
  if (!donorId.success) return undefined;
  const wanted = sign(secret, donorId.data);
  const given = Buffer.from(signature, "base64url");
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? donorId.data : undefined;
}
