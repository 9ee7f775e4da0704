/** What is kept across jobs, and what of it is still used after the parameters' meaning has changed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serialize } from "node:v8";
import { afterEach, beforeEach, expect, it } from "vitest";
import { selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { SHARED_MEANING } from "#lib/aggregation/meta-model.ts";
import { AggregationMemory, encodeLesson } from "#lib/coordinator/aggregation/memory.ts";
import { createLog } from "#lib/coordinator/log.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { freshId } from "#lib/storage/ids.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import { generateSet } from "../../aggregation/sets.ts";

let folder: string;
let store: Store;
let memory: AggregationMemory;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flux-memory-"));
  store = openSqliteStore(join(folder, "flux.db"));
  const objects = openDiskObjects(join(folder, "objects"));
  memory = new AggregationMemory({ store, objects, log: createLog("silent"), now: () => 1_000_000 });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

function lesson() {
  const { set, labels } = generateSet(200, 4, [{ skill: 2 }, { skill: 0 }, { skill: 2 }], 1);
  const known = selectRecords(
    withOwnProfile(set, labels),
    Int32Array.from({ length: 40 }, (_, i) => i),
  );
  return { set: known, targets: labels.slice(0, 40) };
}

const trial = { prior: "prior-1", records: 100, gain: 0.5, gainStandardError: 0.01, accuracyGain: 0.02 };

it("starts fresh, learns a start from a job, and is proven by three jobs that it had not seen", async () => {
  expect((await memory.prior()).prior.version).toBe("fresh");
  await memory.contribute(freshId("job"), encodeLesson(lesson()), null);
  await memory.settled();
  expect(await memory.prior()).toMatchObject({ prior: { version: "prior-1" }, proven: false });
  for (const gain of [0.4, 0.5, 0.6]) {
    await memory.contribute(freshId("job"), encodeLesson(lesson()), { ...trial, gain });
  }
  await memory.settled();
  expect(await memory.prior()).toMatchObject({ prior: { version: "prior-4" }, proven: true });
});

it("does not use a start or trials from when the parameters meant something else, and learns from lessons of then", async () => {
  const { set, targets } = lesson();
  const standing = set.profile?.standing ?? new Float64Array(3);
  const profile = { standing, marginal: new Float64Array(4).fill(0.25), discriminant: null };
  const jobId = freshId("job");
  await memory.contribute(freshId("job"), encodeLesson(lesson()), null);
  await memory.settled();
  const current = await memory.prior();
  const shared = [...current.prior.shared];
  const trials = [0.4, 0.5, 0.6].map((gain) => ({ job: jobId, ...trial, gain }));
  const priors = [{ version: "prior-7", jobs: 3, createdAtMs: 1, shared }];
  await store.settings.set("aggregation-memory", { lessons: [], priors, trials });
  expect(await memory.prior()).toMatchObject({ prior: { version: "fresh" }, proven: false });

  // As such a server wrote it: a profile of another kind.
  await memory.contribute(jobId, new Uint8Array(serialize({ set: { ...set, profile }, targets })), null);
  await memory.settled();
  expect(await memory.prior()).toMatchObject({ prior: { version: "prior-8" }, proven: false });

  await store.settings.set("aggregation-memory", {
    lessons: [],
    priors: priors.map((prior) => ({ ...prior, meaning: SHARED_MEANING })),
    trials: trials.map((known) => ({ ...known, meaning: SHARED_MEANING })),
  });
  expect(await memory.prior()).toMatchObject({ prior: { version: "prior-7" }, proven: true });
});
