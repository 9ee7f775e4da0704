/**
 * Uploads a large file in pieces by the tus protocol (tus.io, 1.0): what has arrived once is never sent again, however
 * often the connection breaks. Works in browsers and in Node; the file is read piece by piece.
 */
import { FluxError } from "#lib/protocol/errors.ts";

export interface ResumableUpload {
  readonly content: Blob;
  /** Of tus: names and values, e.g. filename and purpose. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Sends one request; rejects with a FluxError for a refusal, `unavailable` where no answer came. */
  readonly send: (method: "POST" | "HEAD" | "PATCH", path: string, request: Piece) => Promise<Response>;
  /** Bytes that have arrived. */
  readonly onProgress?: (bytes: number) => void;
  readonly pause?: (ms: number) => Promise<void>;
}

export interface Piece {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Blob;
}

/** Large enough that requests cost nothing, small enough that a broken one loses little. */
const PIECE_BYTES = 16 * 1024 * 1024;
/** In a row, without a byte more having arrived. */
const TRIES = 8;
const FIRST_PAUSE_MS = 250;
const TUS = { "Tus-Resumable": "1.0.0" };

/** @returns the answer to the last piece, which carries the file */
export async function uploadResumably({
  content,
  metadata,
  send,
  onProgress = () => {},
  pause = sleep,
}: ResumableUpload): Promise<Response> {
  const created = await send("POST", "/uploads", {
    headers: { ...TUS, "Upload-Length": String(content.size), "Upload-Metadata": encodeMetadata(metadata) },
  });
  const path = created.headers.get("Location");
  if (!path) throw new FluxError("internal", "The server began an upload without saying where: update it.");
  let offset = 0;
  let failures = 0;
  for (;;) {
    try {
      const answer = await send("PATCH", path, {
        headers: { ...TUS, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
        body: content.slice(offset, offset + PIECE_BYTES),
      });
      offset = Math.min(offset + PIECE_BYTES, content.size);
      onProgress(offset);
      if (offset === content.size) return answer;
      failures = 0;
    } catch (error) {
      if (!(error instanceof FluxError) || error.code !== "unavailable" || ++failures >= TRIES) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (failures - 1));
      const arrived = await arrivedBytes(send, path);
      if (arrived !== null && arrived > offset) failures = 0;
      offset = arrived ?? offset;
    }
  }
}

/** Null while the server cannot be reached. */
async function arrivedBytes(send: ResumableUpload["send"], path: string): Promise<number | null> {
  try {
    return Number((await send("HEAD", path, { headers: TUS })).headers.get("Upload-Offset"));
  } catch (error) {
    if (error instanceof FluxError && error.code === "unavailable") return null;
    throw error;
  }
}

/** Names and base64 values, separated by commas. */
function encodeMetadata(metadata: Readonly<Record<string, string>>): string {
  return Object.entries(metadata)
    .map(([name, value]) => `${name} ${base64(value)}`)
    .join(",");
}

function base64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
