/**
 * A volunteer's key pair: made in this browser when they want a name or a team, kept in its storage, theirs to export and to
 * bring to another browser. The server sees the public key and signatures (lib/protocol/volunteer-identity.ts).
 */
import { z } from "zod";
import { identityText, type SignedIdentity } from "#lib/protocol/volunteer-identity.ts";
import { toBase64Url } from "./receipts.ts";

const KEY = "flux.volunteer";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;

/** A private P-256 key as a JSON Web Key: also the form of the exported file. */
const StoredKey = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});
type StoredKey = z.infer<typeof StoredKey>;

export interface VolunteerKey {
  /** A fresh signature for this server. */
  sign(): Promise<SignedIdentity>;
  /** The text of a file that another browser can import. */
  exported(): string;
}

/** Null where there is none, or storage is refused. */
export async function keptVolunteerKey(): Promise<VolunteerKey | null> {
  try {
    const text = localStorage.getItem(KEY);
    return text === null ? null : await open(StoredKey.parse(JSON.parse(text)));
  } catch {
    return null;
  }
}

export async function makeVolunteerKey(): Promise<VolunteerKey> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return keep(StoredKey.parse(await crypto.subtle.exportKey("jwk", pair.privateKey)));
}

/** @throws Error where the text is no exported key */
export async function importVolunteerKey(text: string): Promise<VolunteerKey> {
  let key: StoredKey;
  try {
    key = StoredKey.parse(JSON.parse(text));
  } catch {
    throw new Error("This is not a key that was exported here. Choose the file that you saved.");
  }
  return keep(key);
}

export function forgetVolunteerKey(): void {
  localStorage.removeItem(KEY);
}

async function keep(stored: StoredKey): Promise<VolunteerKey> {
  const key = await open(stored);
  localStorage.setItem(KEY, JSON.stringify(stored));
  return key;
}

async function open(stored: StoredKey): Promise<VolunteerKey> {
  const { d: _private, ...point } = stored;
  const privateKey = await crypto.subtle.importKey("jwk", stored, ALGORITHM, false, ["sign"]);
  const publicKey = await crypto.subtle.importKey("jwk", point, ALGORITHM, true, ["verify"]);
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  return {
    async sign() {
      const atMs = Date.now();
      const text = new TextEncoder().encode(identityText(location.host, atMs));
      const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, text);
      return { publicKey: toBase64Url(raw), atMs, signature: toBase64Url(new Uint8Array(signature)) };
    },
    exported: () => `${JSON.stringify(stored)}\n`,
  };
}
