/**
 * A job's keys as one file that its owner can put away and bring to another browser or machine. Whoever has it can read the
 * job's records' answers; the coordinator must never get it.
 */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { type JobStore, type KeyStore, loadState, parseState, type SealedState, saveState } from "./stores.ts";

const KeyFile = z.object({
  flux: z.literal("keys"),
  version: z.literal(1),
  keys: z.array(z.object({ generation: z.int().nonnegative(), secret: z.base64() })),
  /** How the job was planned: without it a key decrypts nothing. */
  state: z.unknown().transform(parseState),
});

/** @throws FluxError key_lost */
export async function exportKeys(
  keys: KeyStore,
  store: JobStore,
  job: JobId,
  generations: readonly number[],
): Promise<Blob> {
  const state = await loadState(store, job);
  const held = [];
  for (const generation of generations) {
    const secret = await keys.read(job, generation);
    if (secret) held.push({ generation, secret: base64Of(secret) });
  }
  const file = { flux: "keys", version: 1, keys: held, state };
  return new Blob([JSON.stringify(file)], { type: "application/json" });
}

/** Puts what the file holds where a run looks for it; keys that are here already stay. */
export async function importKeys(keys: KeyStore, store: JobStore, file: Blob): Promise<SealedState> {
  const parsed = KeyFile.safeParse(parseJson(await file.text()));
  if (!parsed.success) {
    throw new FluxError("key_lost", "This is not a key file of Flux: choose the file that was saved with the job.", {
      cause: parsed.error,
    });
  }
  const { keys: held, state } = parsed.data;
  for (const { generation, secret } of held) {
    if (await keys.read(state.job, generation)) continue;
    await keys.write(
      state.job,
      generation,
      Uint8Array.from(atob(secret), (char) => char.charCodeAt(0)),
    );
  }
  await saveState(store, state);
  return state;
}

function base64Of(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
