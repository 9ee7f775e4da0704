/**
 * The published abalone model in real browser tabs, with TensorFlow.js and with onnxruntime, against TensorFlow.js in this process.
 * Skipped where ../shared/data is absent. Needs `npm run build`.
 */
import { expect, test } from "@playwright/test";
import { FluxClient } from "#lib/client/flux-client.ts";
import { type HeadlessDonors, launchHeadlessDonors } from "#lib/client/headless-donors.ts";
import { abaloneAnswers, abalonePredictions, distance, HAS_ABALONE, uploadAbalone } from "../support/abalone.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

test.skip(!HAS_ABALONE, "the abalone data (../shared/data/abalone) is not here");

let server: ServerProcess;
let donors: HeadlessDonors;
test.beforeAll(async () => {
  server = await startServerProcess();
  donors = await launchHeadlessDonors({ url: server.url, count: 2 });
});
test.afterAll(async () => {
  await donors?.close();
  await server?.close();
});

for (const runtime of ["tfjs", "onnxruntime"] as const) {
  test(`two tabs with ${runtime} answer as TensorFlow.js does here`, async () => {
    test.setTimeout(120_000);
    const client = new FluxClient({ url: server.url, apiKey: server.apiKey });
    const job = await client.createJob({ ...(await uploadAbalone(client)), privacy: "public", runtime });
    const done = await client.waitForJob(job.id);
    expect(done).toMatchObject({
      status: "completed",
      error: null,
      plan: { runtimes: [{ runtime }] },
      counts: { results_refused: 0, microtasks_quarantined: 0 },
    });
    const { largest } = distance(await abaloneAnswers(client, job.id), await abalonePredictions());
    console.log(`abalone with ${runtime}: largest difference ${largest.toExponential(1)} of the range`);
    expect(largest).toBeLessThan(1e-5);
  });
}
