/**
 * `npm run assets`: what donors' browsers fetch besides the page. Bundles the workers into `public/worker`, and copies the
 * runtimes' WASM files to `public/wasm`, so that everything comes from this origin.
 *
 * The workers have a bundle of their own, apart from Next's: their URLs are stable (the policy headers of /worker apply),
 * they are split so that a runtime is only fetched when it is wanted, and tests can serve them without the site.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const root = resolve(import.meta.dirname, "..");
const wasm = join(root, "public", "wasm");
const worker = join(root, "public", "worker");

/** Folder in node_modules → names of the files that are wanted of it. */
const SOURCES: readonly [folder: string, wanted: RegExp][] = [
  // The plain build, and the one that onnxruntime-web/webgpu asks for.
  ["onnxruntime-web/dist", /^ort-wasm-simd-threaded(\.asyncify)?\.(mjs|wasm)$/],
  ["@tensorflow/tfjs-backend-wasm/dist", /\.wasm$/],
  ["node-seal/dist", /^seal_throws\.wasm$/],
];
/** For measuring a donor's link: noise, so that no proxy compresses it. */
const PROBE_BYTES = 1024 * 1024;

await copyWasm();
await bundleWorkers();

async function copyWasm(): Promise<void> {
  await rm(wasm, { recursive: true, force: true });
  await mkdir(wasm, { recursive: true });
  for (const [folder, wanted] of SOURCES) {
    const from = join(root, "node_modules", folder);
    const names = (await readdir(from)).filter((name) => wanted.test(name));
    if (names.length === 0)
      throw new Error(`Nothing in node_modules/${folder} matches ${wanted}: run \`npm ci\` first`);
    for (const name of names) await cp(join(from, name), join(wasm, name));
  }
  await writeFile(join(wasm, "probe.bin"), noise(PROBE_BYTES));
}

/** A chain of hashes: the same noise at every build. */
function noise(bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let block = createHash("sha256").update("flux probe").digest();
  for (let at = 0; at < bytes; at += block.length) {
    out.set(block.subarray(0, bytes - at), at);
    block = createHash("sha256").update(block).digest();
  }
  return out;
}

async function bundleWorkers(): Promise<void> {
  await rm(worker, { recursive: true, force: true });
  await build({
    entryPoints: {
      loop: join(root, "worker/loop/entry.ts"),
      compute: join(root, "worker/compute/entry.ts"),
      keyholder: join(root, "lib/client/custody/browser/worker.ts"),
      "lane-thread": join(root, "worker/kernels/lanes/threads/entry.ts"),
    },
    outdir: worker,
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["chrome113", "firefox115", "safari16.4"],
    platform: "browser",
    // onnxruntime-web without its glue inlined: that comes from /wasm, beside the WASM file it belongs to.
    conditions: ["onnxruntime-web-use-extern-wasm"],
    define: { "process.env.NODE_ENV": '"production"' },
    minify: true,
    legalComments: "linked",
    sourcemap: false,
    logLevel: "warning",
    // TensorFlow.js and node-seal reach for these only under Node.
    external: [
      "node:*",
      "module",
      "fs",
      "path",
      "util",
      "os",
      "crypto",
      "worker_threads",
      "perf_hooks",
      "node-fetch",
      "string_decoder",
    ],
  });
}
