/**
 * The coordinator is killed (SIGKILL) again and again while donors send results. After each restart it goes on by itself;
 * in the end every record has its one result, and nothing that a donor saw acknowledged is missing.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FluxClient } from "#lib/client/flux-client.ts";
import type { MicrotaskId } from "#lib/protocol/ids.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import { freePort, keepDonating, killAndRestart, startKillable } from "#tests/support/killable-coordinator.ts";
import { csvRecords, linearAnswer, linearModel } from "#tests/support/linear-model.ts";

/** In CI; `FLUX_TEST_KILLS=20` for the long run. */
const KILLS = Number(process.env.FLUX_TEST_KILLS ?? 5);
/** Acknowledged results between two kills. */
const RESULTS_BETWEEN_KILLS = 4;
const DONORS = 3;
const INPUTS = 8;
const WEIGHTS = Float32Array.from({ length: INPUTS * 3 }, (_, i) => ((i * 5) % 11) / 8 - 0.5);
const RECORDS = 20_000;

describe("a coordinator that is killed", () => {
  let folder: string;
  let port: number;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flux-kill-"));
    port = await freePort();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it(`loses nothing and counts nothing twice, killed ${KILLS} times`, {
    timeout: 60_000 + KILLS * 40_000,
  }, async () => {
    let server = await startKillable(folder, port);
    const { url, firstKey } = server.started;
    const client = new FluxClient({ url, apiKey: firstKey ?? "" });
    const modelFile = await client.uploadFile(new Blob([linearModel(WEIGHTS, INPUTS)]), "linear.onnx", "model");
    const model = await client.createModel({ file_id: modelFile.id });
    const dataFile = await client.uploadFile(new Blob([csvRecords(RECORDS, INPUTS)]), "records.csv", "dataset");
    const dataset = await client.createDataset({ file_id: dataFile.id });
    const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });

    const acknowledged: MicrotaskId[] = [];
    let sinceKill = 0;
    let killedAtMs = 0;
    const readyAfterMs: number[] = [];
    const acceptedAfterMs: number[] = [];
    let killNow = () => {};
    let working = true;
    const donors = Array.from({ length: DONORS }, () =>
      keepDonating(
        {
          url,
          // Slow by its own account, so that the job is cut into some hundred microtasks.
          float32MacsPerSecond: 4e7,
          wantMs: 100,
          onAccepted: ({ microtaskId }) => {
            acknowledged.push(microtaskId);
            if (acceptedAfterMs.length < readyAfterMs.length) acceptedAfterMs.push(performance.now() - killedAtMs);
            if (++sinceKill >= RESULTS_BETWEEN_KILLS) killNow();
          },
        },
        () => working,
      ),
    );

    for (let kill = 0; kill < KILLS; kill++) {
      sinceKill = 0;
      await new Promise<void>((resolve) => {
        killNow = resolve;
      });
      killNow = () => {};
      killedAtMs = performance.now();
      server = await killAndRestart(server, folder, port);
      readyAfterMs.push(performance.now() - killedAtMs);
    }
    const done = await client.waitForJob(job.id, { pollMs: 100 });
    working = false;
    console.info(
      `from SIGKILL to ready: ${median(readyAfterMs)} ms, to the next accepted result: ${median(acceptedAfterMs)} ms (medians of ${KILLS})`,
    );
    server.child.kill("SIGTERM");
    await Promise.all([once(server.child, "exit"), ...donors]);

    expect(done).toMatchObject({ status: "completed", counts: { units_accepted: RECORDS, microtasks_quarantined: 0 } });
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(acknowledged.length).toBeGreaterThan(KILLS * RESULTS_BETWEEN_KILLS);

    // What is on disk, read by nobody but the test.
    const store = openSqliteStore(join(folder, "flux.sqlite"));
    const [stage] = await store.stages.ofJob(job.id);
    const results = await store.work.results(stage!.id, { limit: RECORDS });
    await store.close();
    const kept = new Set(results.map(({ microtaskId }) => microtaskId));
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    let next = 0;
    for (const { unitStart, unitCount } of results) {
      expect(unitStart).toBe(next);
      next = unitStart + unitCount;
    }
    expect(next).toBe(RECORDS);

    const again = await startKillable(folder, port);
    const text = await (await client.results(job.id, "jsonl")).text();
    again.child.kill("SIGTERM");
    await once(again.child, "exit");
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows).toHaveLength(RECORDS);
    const wrong = rows.filter(({ record, outputs }, index) => {
      const expected = linearAnswer(WEIGHTS, INPUTS, index);
      return record !== index || expected.some((value, i) => Math.abs(value - outputs.y[i]) > 1e-4);
    });
    expect(wrong).toEqual([]);
  });
});

function median(values: readonly number[]): string {
  return (values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN).toFixed(0);
}
