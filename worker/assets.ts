/**
 * `npm run assets`: what donors' browsers fetch besides the page. Bundles the workers into `public/worker` and the embed into
 * `public/embed`, and copies the runtimes' WASM files to `public/wasm`, so that everything comes from this origin.
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
const embed = join(root, "public", "embed");
/** What partners are promised that their pages load. */
const LOADER_BYTES_MAX = 5 * 1024;

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
await bundleEmbed();

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

/**
 * The embed. `v1.js` is what partners load: it changes only in ways that version 1 allows. `v1-DIGEST.js` is the same file under
 * a name that never changes its content, for pages that pin it by `integrity`; older ones stay where they are. `v1.json` names both.
 */
async function bundleEmbed(): Promise<void> {
  await mkdir(embed, { recursive: true });
  for (const name of await readdir(embed)) if (!/^v1-.*\.js$/.test(name)) await rm(join(embed, name));
  const shared = { bundle: true, minify: true, sourcemap: false, logLevel: "warning" } as const;
  await build({
    ...shared,
    entryPoints: ["frame.ts", "confirm.ts", "frame.css"].map((name) => join(root, "worker/embed", name)),
    outdir: embed,
    splitting: true,
    format: "esm",
    target: ["chrome113", "firefox115", "safari16.4"],
    legalComments: "none",
  });
  const loader = await build({
    ...shared,
    entryPoints: [join(root, "worker/embed/loader.ts")],
    format: "iife",
    target: "es2019",
    write: false,
  });
  const bytes = loader.outputFiles[0]?.contents ?? new Uint8Array(0);
  if (bytes.length === 0 || bytes.length > LOADER_BYTES_MAX)
    throw new Error(`The embed's loader has ${bytes.length} bytes: 1 to ${LOADER_BYTES_MAX} are promised`);
  const digest = createHash("sha384").update(bytes).digest();
  const pinned = `v1-${digest.toString("hex").slice(0, 16)}.js`;
  await writeFile(join(embed, "v1.js"), bytes);
  await writeFile(join(embed, pinned), bytes);
  const integrity = `sha384-${digest.toString("base64")}`;
  const release = { path: "/embed/v1.js", pinned_path: `/embed/${pinned}`, integrity, bytes: bytes.length };
  await writeFile(join(embed, "v1.json"), `${JSON.stringify(release)}\n`);
  console.log(`embed loader: ${bytes.length} bytes, ${integrity}`);
}
