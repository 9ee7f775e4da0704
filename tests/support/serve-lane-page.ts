/** Bundles lane-page.ts and the workers of browser tests and serves them with the runtimes' WASM files from node_modules, cross-origin isolated. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";

const ROOT = resolve(import.meta.dirname, "../..");
const WASM_FOLDERS = ["onnxruntime-web/dist", "@tensorflow/tfjs-backend-wasm/dist", "node-seal/dist"];
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

export interface LanePageServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function serveLanePage(): Promise<LanePageServer> {
  const bundle = await build({
    entryPoints: {
      "lane-page": join(ROOT, "tests/support/lane-page.ts"),
      "keyholder-worker": join(ROOT, "tests/support/keyholder-worker.ts"),
      "lane-thread": join(ROOT, "worker/kernels/lanes/threads/entry.ts"),
    },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    external: ["node:*", "module", "worker_threads", "fs", "path", "url", "os", "perf_hooks"],
    outdir: "/bundle",
    write: false,
    logLevel: "error",
  });
  const scripts = new Map(bundle.outputFiles.map((file) => [basename(file.path), file.contents]));

  const find = async (path: string): Promise<Uint8Array | string | undefined> => {
    if (path === "/") return '<!doctype html><title>lanes</title><script type="module" src="/lane-page.js"></script>';
    const name = basename(path);
    const script = scripts.get(name);
    if (script) return script;
    for (const folder of WASM_FOLDERS) {
      const bytes = await readFile(join(ROOT, "node_modules", folder, name)).catch(() => undefined);
      if (bytes) return bytes;
    }
    return undefined;
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://local").pathname;
    const body = await find(path);
    response.writeHead(body === undefined ? 404 : 200, {
      "content-type": TYPES[path.split(".").at(-1) ?? ""] ?? "text/html",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    response.end(body);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => new Promise((done) => server.close(() => done())),
  };
}
