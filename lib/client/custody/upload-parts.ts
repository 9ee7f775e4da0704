/** Sends a batch's missing parts, several at a time. What has arrived is not sent again; a part that was damaged on its way is. */
import { isFluxError } from "#lib/protocol/errors.ts";
import type { CustodyApi } from "./api.ts";

export interface PartsUpload {
  readonly api: Pick<CustodyApi, "putPart">;
  readonly batch: number;
  readonly seed: string;
  readonly content: Blob;
  readonly missing: readonly number[];
  readonly partBytes: number;
  readonly signal: AbortSignal;
  /** Bytes that have arrived, those of earlier runs included. */
  readonly onProgress?: (bytes: number) => void;
}

/** Enough to keep a link with some latency busy. */
const AT_ONCE = 4;
/** Times that one part may arrive damaged. */
const TRIES = 5;

export async function uploadParts(upload: PartsUpload): Promise<void> {
  const { content, missing, partBytes, signal, onProgress = () => {} } = upload;
  const waiting = [...missing];
  const sizeOf = (part: number) => Math.min(partBytes, content.size - part * partBytes);
  let arrived = content.size - missing.reduce((sum, part) => sum + sizeOf(part), 0);
  onProgress(arrived);

  async function work(): Promise<void> {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      signal.throwIfAborted();
      await sendPart(upload, part);
      arrived += sizeOf(part);
      onProgress(arrived);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function sendPart({ api, batch, seed, content, partBytes }: PartsUpload, part: number): Promise<void> {
  const slice = content.slice(part * partBytes, (part + 1) * partBytes);
  for (let tries = 1; ; tries++) {
    try {
      await api.putPart(batch, part, seed, new Uint8Array(await slice.arrayBuffer()));
      return;
    } catch (error) {
      if (!isFluxError(error) || error.code !== "ciphertext_invalid" || tries >= TRIES) throw error;
    }
  }
}
