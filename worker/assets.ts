/** `npm run assets`: copies the WASM files of the runtimes to `public/wasm`, where workers fetch them from this origin. */
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const target = join(root, "public", "wasm");

/** Folder in node_modules → names of the files that are wanted of it. */
const SOURCES: readonly [folder: string, wanted: RegExp][] = [
  ["onnxruntime-web/dist", /^ort-wasm-simd-threaded.*\.(mjs|wasm)$/],
  ["@tensorflow/tfjs-backend-wasm/dist", /\.wasm$/],
  ["node-seal/dist", /^seal_throws\.wasm$/],
];

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
for (const [folder, wanted] of SOURCES) {
  const from = join(root, "node_modules", folder);
  const names = (await readdir(from)).filter((name) => wanted.test(name));
  if (names.length === 0) throw new Error(`Nothing in node_modules/${folder} matches ${wanted}: run \`npm ci\` first`);
  for (const name of names) await cp(join(from, name), join(target, name));
}
