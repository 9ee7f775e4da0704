/** Encrypted jobs from upload to results over real HTTP and donor sockets: right results, lying donors, and what donors see. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { limbCount, parsePayload, readResidue, unpackLanes } from "#lib/lanes/block.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { StageSpec } from "#lib/protocol/stage.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { everyLie } from "#tests/support/lies.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";
import { CLASSES, FEATURES, npyFloat32, smallModel, smallRecords } from "#tests/support/small-model.ts";

const RECORDS = 700;
/** Three batches: there is work left for honest donors when every liar has had its turn. */
const MANY_RECORDS = 5_000;
/** Slow by their own word, so that the job is cut into many microtasks. */
const SLOW = 2e6;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });

let coordinator: TestCoordinator;
const donors: NodeDonor[] = [];

beforeEach(async () => {
  coordinator = await startTestCoordinator();
});
afterEach(async () => {
  for (const donor of donors.splice(0)) await donor.stop();
  await coordinator.close();
});

async function submit(records: Float32Array<ArrayBuffer>): Promise<JobResource> {
  const { client } = coordinator;
  const modelFile = await client.uploadFile(new Blob([smallModel().bytes]), "small.onnx", "model");
  const model = await client.createModel({ file_id: modelFile.id });
  const npy = npyFloat32(records, [records.length / FEATURES, FEATURES]);
  const dataFile = await client.uploadFile(new Blob([npy]), "records.npy", "dataset");
  const dataset = await client.createDataset({ file_id: dataFile.id });
  return client.createJob({ model: model.id, dataset: dataset.id });
}

async function largestError(job: JobResource, records: Float32Array): Promise<number> {
  const text = await (await coordinator.client.results(job.id, "jsonl")).text();
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  const count = records.length / FEATURES;
  expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: count }, (_, i) => i));
  const inputs = new Map([["x", Float64Array.from(records)]]);
  const expected = evaluate(smallModel().graph, { records: count, inputs }).get("logits")!.data;
  return rows
    .flatMap(({ outputs }) => outputs.logits)
    .reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}

describe("an encrypted job", () => {
  it("is the default, gives the plain model's answers within the plan's error, and leaves no key or ciphertext behind", async () => {
    const records = smallRecords(RECORDS);
    const job = await submit(records);
    expect(job).toMatchObject({ privacy: "encrypted", custody: "coordinator", status: "queued" });
    const plan = job.plan?.privacy === "encrypted" ? job.plan : undefined;
    expect(plan?.fidelity.same_answer_rate).toBeGreaterThanOrEqual(0.99);
    donors.push(await startNodeDonor({ url: coordinator.url }), await startNodeDonor({ url: coordinator.url }));
    const done = await coordinator.client.waitForJob(job.id, { pollMs: 50 });
    expect(done).toMatchObject({ status: "completed", error: null });
    expect(done.counts.audits).toBeGreaterThan(0);
    expect(await largestError(done, records)).toBeLessThanOrEqual(3 * (plan?.fidelity.largest_error ?? 0));

    // The next plan for the same model is told by what this one showed.
    const next = await submit(records);
    const experience = next.plan?.privacy === "encrypted" ? next.plan.experience : null;
    expect(experience?.jobs).toBe(1);
    expect(experience?.core_seconds_per_record).toBeCloseTo(
      (done.report?.audits.donor_seconds ?? 0) / ((plan?.batches ?? 0) * (plan?.records_per_batch ?? 0)),
      9,
    );
    expect(experience?.key_holder_ms_per_record).toBeGreaterThan(0);
    expect(experience?.largest_error).toBe(done.report?.fidelity?.largest_error ?? null);
    expect(next.plan).toMatchObject({ core_seconds_per_record: experience?.core_seconds_per_record });
    await coordinator.client.cancelJob(next.id);

    await coordinator.settled();
    expect(await readdir(join(coordinator.dataFolder, "keys"))).toEqual([]);
    expect(existsSync(join(coordinator.dataFolder, "objects", "encrypted", job.id))).toBe(false);
  });

  const liarCount = everyLie().length;
  const fleets = [
    { share: "three in ten donors", honestCount: Math.round((liarCount * 7) / 3) },
    { share: "most donors", honestCount: 2 },
  ];
  it.each(fleets)(
    "gives right results although $share lie, each in another way",
    async ({ honestCount }) => {
      const records = smallRecords(MANY_RECORDS);
      const job = await submit(records);
      const fleet = { url: coordinator.url, int8MacsPerSecond: SLOW, wantMs: 100 };
      // Honest donors come when every liar has been judged: else they may leave a liar nothing, or be faster than it.
      const liars = everyLie().map((liar) => ({ ...liar, judged: Promise.withResolvers<void>() }));
      for (const { falsify, judged } of liars) {
        const onRefused = (code: string) => code === "audit_failed" && judged.resolve();
        donors.push(await startNodeDonor({ ...fleet, falsify, onAccepted: () => judged.resolve(), onRefused }));
      }
      await Promise.all(liars.map(({ judged }) => judged.promise));
      for (let honest = 0; honest < honestCount; honest++) donors.push(await startNodeDonor(fleet));
      const done = await coordinator.client.waitForJob(job.id, { pollMs: 50 });
      expect(done).toMatchObject({ status: "completed", error: null });
      const plan = job.plan?.privacy === "encrypted" ? job.plan : undefined;
      expect(await largestError(done, records)).toBeLessThanOrEqual(3 * (plan?.fidelity.largest_error ?? 0));
      const unpunished = liars.filter((_, i) => !donors[i]?.refused().includes("audit_failed"));
      // One changed lane may pass every sampled audit: then the batch does not decrypt, and all of it is recomputed.
      expect(unpunished.map(({ name }) => name).filter((name) => name !== "one changed lane")).toEqual([]);
      const honest = donors.slice(liarCount);
      expect(honest.flatMap((donor) => donor.refused())).not.toContain("audit_failed");
      // What liars were refused was given to others: every lane was accepted from somebody.
      expect(done.counts.results_refused).toBeGreaterThanOrEqual(liarCount - 1);
      expect(done.counts.units_accepted).toBe(done.counts.units);
    },
    240_000,
  );

  it("shows donors nothing that tells two datasets apart", async () => {
    const seen: Float64Array[] = [];
    for (const marker of [0.75, -0.25]) {
      // A hundred records differ, so that every value has a range; all others carry the marker throughout.
      const records = smallRecords(RECORDS).fill(marker, 100 * FEATURES);
      const job = await submit(records);
      const donor = await startNodeDonor({ url: coordinator.url, keepPayloads: true });
      await coordinator.client.waitForJob(job.id, { pollMs: 50 });
      await donor.stop();
      seen.push(await residueShares(donor));
    }
    for (const shares of seen) expect(uniformChiSquare(shares)).toBeLessThan(CHI_SQUARE_LIMIT);
    // The same measure on what an unencrypted lane would hold: small numbers, the same in every lane.
    const plain = Float64Array.from({ length: 50_000 }, (_, i) => ((i % FEATURES) * 3_000) / 2 ** 28);
    expect(uniformChiSquare(plain)).toBeGreaterThan(100 * CHI_SQUARE_LIMIT);
  }, 240_000);
});

const BINS = 64;
/** χ² with 63 degrees of freedom exceeds this once in a million. */
const CHI_SQUARE_LIMIT = 131;

/** Every residue that a donor was sent, as a share of its prime: uniform in 0..1 if it tells nothing. */
async function residueShares(donor: NodeDonor): Promise<Float64Array> {
  const program = decodeProgram(await programOf(donor));
  const shares: number[] = [];
  for (const bytes of donor.received()) {
    const { modulus, run, body } = parsePayload(bytes, program.ring, program.inputs);
    const limbs = limbCount(modulus);
    const planes = new Uint8Array(run.laneCount * limbs * program.inputs);
    unpackLanes(body, modulus, program.inputs, planes);
    for (let lane = 0; lane < run.laneCount; lane++) {
      for (let feature = 0; feature < program.inputs; feature++) {
        shares.push(readResidue(planes, lane * limbs * program.inputs + feature, limbs, program.inputs) / modulus);
      }
    }
  }
  return Float64Array.from(shares);
}

async function programOf(donor: NodeDonor): Promise<Uint8Array> {
  const fetched = async (digest: string) =>
    new Uint8Array(await (await fetch(`${coordinator.url}/artefacts/${digest}`)).arrayBuffer());
  const [specDigest] = donor.specs();
  const spec = StageSpec.parse(JSON.parse(new TextDecoder().decode(await fetched(specDigest ?? ""))));
  if (spec.kernel !== "lanes") throw new Error("an encrypted stage was expected");
  return fetched(spec.program.digest);
}

function uniformChiSquare(shares: Float64Array): number {
  const counts = new Float64Array(BINS);
  for (const share of shares) counts[Math.floor(share * BINS)]! += 1;
  const expected = shares.length / BINS;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
