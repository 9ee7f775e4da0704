/** The built files of `public/` in place of the whole site: the embed and the workers need no page of it. Needs `npm run assets`. */
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, resolve } from "node:path";
import type { Pages } from "#lib/coordinator/http/pages.ts";

const PUBLIC = resolve(import.meta.dirname, "../../public");
const SERVED = /^\/(worker|wasm|embed)\/[\w.-]+$/;
const TYPES: Record<string, string> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

export async function publicFile(path: string, response: ServerResponse): Promise<void> {
  const bytes = SERVED.test(path) ? await readFile(join(PUBLIC, path)).catch(() => null) : null;
  if (!bytes) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
  response.end(bytes);
}

export async function publicFiles(): Promise<Pages> {
  return {
    handle: async (request, response) => publicFile((request.url ?? "/").split("?", 1)[0] ?? "/", response),
    developmentUpgrade: null,
    close: async () => {},
  };
}
