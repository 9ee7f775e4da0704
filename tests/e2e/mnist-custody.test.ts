/**
 * Real digits, real browser tabs, `npx flux submit` in both custodies as a person runs it, in a process of its own
 * beside the coordinator's. Skipped where ../shared/data is absent. Needs `npm run build`.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@playwright/test";
import { type HeadlessDonors, launchHeadlessDonors } from "#lib/client/headless-donors.ts";
import { JobResource } from "#lib/protocol/api/jobs.ts";
import { best, CLASSES, firstImages, MNIST, npy, parseRows, peakMegabytes, plainLogits } from "../support/mnist.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

const FLUX = resolve(import.meta.dirname, "../../lib/client/cli/flux.js");
const RECORDS = 4_096;

test.skip(!existsSync(MNIST), "the shared digits (../shared/data/mnist) are not here");

let server: ServerProcess;
let donors: HeadlessDonors;
let folder: string;
test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flux-mnist-custody-"));
  server = await startServerProcess();
  donors = await launchHeadlessDonors({ url: server.url, count: 2 });
});
test.afterAll(async () => {
  await donors?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

const CUSTODIES = [
  { custody: "submitter", where: "encrypted and decrypted here" },
  { custody: "coordinator", where: "sent as they are and encrypted on the coordinator" },
] as const;

for (const { custody, where } of CUSTODIES) {
  test(`npx flux submit: 4,096 digits ${where} come back with the plain model's answers`, async () => {
    test.setTimeout(300_000);
    const images = await firstImages(RECORDS);
    await writeFile(join(folder, "images.npy"), npy(images, RECORDS));
    const model = join(MNIST, "mnist-cryptonets.onnx");
    const results = `${custody}.jsonl`;
    const startedMs = performance.now();
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [FLUX, "submit", model, "images.npy", "--scale", "1/255", "--min-fidelity", "0.998"].concat([
        "--custody",
        custody,
        "-o",
        results,
        "--json",
      ]),
      {
        cwd: folder,
        env: {
          ...process.env,
          FLUX_URL: server.url,
          FLUX_KEY: server.apiKey,
          XDG_CONFIG_HOME: join(folder, "config"),
          XDG_STATE_HOME: join(folder, "state"),
        },
      },
    );
    const wallMs = performance.now() - startedMs;
    const job = JobResource.parse(JSON.parse(stdout));
    expect(job, stderr).toMatchObject({ status: "completed", privacy: "encrypted", custody, error: null });
    const rows = parseRows(await readFile(join(folder, results), "utf8"), RECORDS);
    const expected = await plainLogits(model, images, RECORDS);
    const same = rows.filter((row, r) => best(row) === best(expected.subarray(r * CLASSES, (r + 1) * CLASSES))).length;
    const { audits } = job.report ?? { audits: { lanes: 0, cpu_seconds: 0, donor_seconds: 0 } };
    console.log(
      `${custody} custody, MNIST: ${((100 * same) / RECORDS).toFixed(2)} % same answers, ${(wallMs / 1000).toFixed(1)} s from submit to results file, ` +
        `coordinator's peak memory ${peakMegabytes(server.pid)} MB; audits: ${audits.lanes} lanes, ` +
        `${audits.cpu_seconds.toFixed(2)} CPU s against ${audits.donor_seconds.toFixed(1)} s of donors' computing (${((100 * audits.cpu_seconds) / audits.donor_seconds).toFixed(2)} %)`,
    );
    expect(same / RECORDS).toBeGreaterThanOrEqual(0.998);
    expect(peakMegabytes(server.pid)).toBeLessThanOrEqual(1_500);
  });
}
