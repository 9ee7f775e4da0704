/**
 * Real digits, real browser tabs: the public job that README shows with curl, and an encrypted one, both against the plain model run
 * here. Skipped where ../shared/data is absent. Needs `npm run build`.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@playwright/test";
import { FluxClient } from "#lib/client/flux-client.ts";
import { type HeadlessDonors, launchHeadlessDonors } from "#lib/client/headless-donors.ts";
import { best, CLASSES, firstImages, MNIST, npy, parseRows, peakMegabytes, plainLogits } from "../support/mnist.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

const ROOT = resolve(import.meta.dirname, "../..");

test.skip(!existsSync(MNIST), "the shared digits (../shared/data/mnist) are not here");

let server: ServerProcess;
let donors: HeadlessDonors;
let folder: string;
test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flux-mnist-"));
  server = await startServerProcess();
  donors = await launchHeadlessDonors({ url: server.url, count: 2 });
});
test.afterAll(async () => {
  await donors?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

test("the public job that README submits with curl has onnxruntime's outputs, in order, none missing", async () => {
  test.setTimeout(180_000);
  const records = 2_000;
  const images = await firstImages(records);
  await writeFile(join(folder, "images.npy"), npy(images, records));
  const model = join(MNIST, "mnist-relu-mlp.onnx");
  // Not execFileSync: this process drives the donors' browser meanwhile.
  await promisify(execFile)("bash", ["-euo", "pipefail", "-c", readmeSnippet("public job with curl")], {
    cwd: folder,
    env: { ...process.env, FLUX_URL: server.url, FLUX_KEY: server.apiKey, MODEL: model, DATA: "images.npy" },
    timeout: 150_000,
  });
  const rows = parseRows(await readFile(join(folder, "results.jsonl"), "utf8"), records);
  const expected = await plainLogits(model, images, records);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const error = rows.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(error / largest).toBeLessThan(1e-4);
});

test("4,096 encrypted digits come back with the plain model's answers", async () => {
  test.setTimeout(300_000);
  const records = 4_096;
  const images = await firstImages(records);
  const client = new FluxClient({ url: server.url, apiKey: server.apiKey });
  const model = join(MNIST, "mnist-cryptonets.onnx");
  const modelFile = await client.uploadFile(new Blob([await readFile(model)]), "cryptonets.onnx", "model");
  const dataFile = await client.uploadFile(new Blob([npy(images, records)]), "images.npy", "dataset");
  const { id: modelId } = await client.createModel({ file_id: modelFile.id });
  const { id: dataset } = await client.createDataset({ file_id: dataFile.id, scale: 1 / 255 });
  const startedMs = performance.now();
  const job = await client.createJob({ model: modelId, dataset, min_fidelity: 0.998 });
  const done = await client.waitForJob(job.id);
  const wallMs = performance.now() - startedMs;
  expect(done).toMatchObject({ status: "completed", privacy: "encrypted", error: null });
  const rows = parseRows(await (await client.results(job.id, "jsonl")).text(), records);
  const expected = await plainLogits(model, images, records);
  const same = rows.filter((row, r) => best(row) === best(expected.subarray(r * CLASSES, (r + 1) * CLASSES))).length;
  console.log(
    `encrypted MNIST: ${((100 * same) / records).toFixed(2)} % same answers, ${(wallMs / 1000).toFixed(1)} s from submit to results, ` +
      `coordinator's peak memory ${peakMegabytes(server.pid)} MB`,
  );
  const { audits, fidelity } = done.report ?? { audits: null, fidelity: null };
  console.log(
    `report: ${JSON.stringify(fidelity)}; audits ${audits?.lanes} lanes, ${audits?.cpu_seconds.toFixed(2)} CPU s against ${audits?.donor_seconds.toFixed(1)} s of donors' computing`,
  );
  expect(same / records).toBeGreaterThanOrEqual(0.998);
});

/** The shell block of README that follows the named comment. */
function readmeSnippet(name: string): string {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const block = new RegExp(`<!-- ${name} -->\\s*\`\`\`bash\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  if (!block) throw new Error(`README has no block "${name}"`);
  return block;
}
