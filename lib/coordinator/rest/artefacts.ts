/**
 * GET /artefacts/{digest}: what donors fetch (models, lane programs, stage specs). Only what a stage names is served;
 * uploads of submitters are not, whatever their digest. Immutable: a browser asks once.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Digest } from "#lib/protocol/ids.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { Store } from "#lib/storage/store.ts";

export const ARTEFACT_PREFIX = "/artefacts/";

export async function answerArtefact(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  { store, blobs }: { readonly store: Store; readonly blobs: BlobStore },
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { Allow: "GET, HEAD" }).end();
    return;
  }
  const digest = Digest.safeParse(path.slice(ARTEFACT_PREFIX.length));
  const artefact = digest.success ? await store.stages.artefact(digest.data) : undefined;
  if (!artefact) {
    response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" }).end("no such artefact\n");
    return;
  }
  response.setHeader("ETag", `"${artefact.digest}"`);
  response.setHeader("Cache-Control", "public, max-age=31536000, immutable");
  if (request.headers["if-none-match"] === `"${artefact.digest}"`) {
    response.writeHead(304).end();
    return;
  }
  response.setHeader("Content-Type", "application/octet-stream");
  response.setHeader("Content-Length", artefact.bytes);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  for await (const chunk of blobs.stream(artefact.digest)) {
    if (gone.signal.aborted) return;
    if (!response.write(chunk)) await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}
