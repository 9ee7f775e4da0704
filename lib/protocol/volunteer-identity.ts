/** How a volunteer proves who they are: the form that browser and coordinator share. */
import { z } from "zod";

/** The public key, a moment, and the key's signature over `identityText` of that moment. */
export const SignedIdentity = z.object({
  /** Uncompressed P-256 point, 65 bytes, base64url. */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{87}$/, "65 bytes in base64url are wanted here"),
  /** Milliseconds since 1970 on the volunteer's clock. */
  atMs: z.number().nonnegative(),
  /** ECDSA over SHA-256, r and s of 32 bytes each, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/, "64 bytes in base64url are wanted here"),
});
export type SignedIdentity = z.infer<typeof SignedIdentity>;

/** What is signed. @param host of the coordinator, as the browser's address bar has it */
export const identityText = (host: string, atMs: number): string => `flux volunteer\n${host}\n${atMs}`;
