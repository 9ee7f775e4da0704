/**
 * Receipts: the coordinator's signed word that it accepted a microtask of a donor.
 *
 * One signature stands for all results that were committed together: their claims are the leaves of a hash tree (SHA-256, leaves
 * and nodes told apart by a first byte as in RFC 6962), and a receipt carries its claim, the way up to the root, and the
 * signature (Ed25519, RFC 8032) of the root. Whoever has the public key can check a receipt alone.
 */
import { z } from "zod";
import { DonorId, JobId, MicrotaskId } from "./ids.ts";

/** What is claimed; signed as the very text that the receipt carries. */
export const ReceiptClaim = z.object({
  donor: DonorId,
  microtask: MicrotaskId,
  job: JobId,
  units: z.int().positive(),
  accepted_at: z.iso.datetime(),
});
export type ReceiptClaim = z.infer<typeof ReceiptClaim>;

const base64url = (bytes: number) => z.string().length(Math.ceil((bytes * 4) / 3));

export const Receipt = z.object({
  /** JSON of a ReceiptClaim. */
  claim: z.string().max(500),
  /** From the leaf up: the hash beside, and on which side it stands. */
  path: z.array(z.object({ side: z.enum(["left", "right"]), hash: base64url(32) })).max(32),
  signature: base64url(64),
  /** Which of the coordinator's keys; see ReceiptKey. */
  key: z.string().max(64),
});
export type Receipt = z.infer<typeof Receipt>;

/** The public key as a JSON Web Key (RFC 8037). */
export const ReceiptKey = z
  .object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string(), kid: z.string() })
  .meta({ id: "ReceiptKey" });
export type ReceiptKey = z.infer<typeof ReceiptKey>;

/** First byte of what is hashed. */
export const LEAF = 0;
export const NODE = 1;
/** What is signed: this, then the root in base64url. */
export const SIGNED_PREFIX = "flux receipts 1\n";
