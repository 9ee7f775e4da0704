/** Secrets that the coordinator makes for itself at its first start and keeps in its store. */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Store } from "#lib/storage/store.ts";

/** 32 bytes that stay the same over restarts. */
export async function loadSecret(store: Store, name: string): Promise<Uint8Array> {
  const stored = z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .safeParse(await store.settings.get(name));
  if (stored.success) return Buffer.from(stored.data, "hex");
  const secret = randomBytes(32);
  await store.settings.set(name, secret.toString("hex"));
  return secret;
}
