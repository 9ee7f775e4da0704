/** An encrypted ensemble whose key stays here: combined, corrected by feedback, and reported on this machine only. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { JobId } from "#lib/protocol/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvOf, labelledRecords, memberModel } from "#tests/support/ensemble.ts";
import { runFlux } from "#tests/support/flux-command.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";

const RECORDS = 400;
const LABELLED = 200;
const data = labelledRecords(RECORDS, 5);
const Row = z.object({ id: z.string(), outputs: z.object({ y: z.array(z.number()) }) });

let coordinator: TestCoordinator;
let donor: NodeDonor;
let folder: string;

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  donor = await startNodeDonor({ url: coordinator.url });
  folder = await mkdtemp(join(tmpdir(), "flux-sealed-"));
  await writeFile(join(folder, "good.onnx"), memberModel(1));
  await writeFile(join(folder, "also-good.onnx"), memberModel(1.2));
  await writeFile(join(folder, "shifted.onnx"), memberModel(4, 1));
  await writeFile(join(folder, "records.csv"), csvOf(data, false));
});
afterAll(async () => {
  await donor.stop();
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

const flux = (...args: string[]) =>
  runFlux({ folder, home: folder, url: coordinator.url, apiKey: coordinator.key }, args);

async function accuracy(file: string): Promise<number> {
  const rows = (await readFile(join(folder, file), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  expect(rows.map(({ id }) => id)).toEqual(data.labels.map((_, r) => `r${r}`));
  const held = rows.slice(LABELLED);
  const right = held.filter(({ outputs: { y } }, r) => y.indexOf(Math.max(...y)) === data.labels[LABELLED + r]);
  return right.length / held.length;
}

it("combines members here, learns from feedback here, and the coordinator sees neither answers nor labels", async () => {
  const models = ["good.onnx", "also-good.onnx", "shifted.onnx"];
  const { out, err } = await flux(
    ...["submit", ...models, "records.csv", "--id", "id", "--accept-fidelity", "-o", "before.jsonl", "--json"],
  );
  const id = JobId.parse(JSON.parse(out).id);
  expect(err).toContain("Answers: mean");
  const before = await accuracy("before.jsonl");

  const rows = data.labels.slice(0, LABELLED).map((label, r) => `r${r},${label}`);
  await writeFile(join(folder, "labels.csv"), `id,label\n${rows.join("\n")}\n`);
  const learned = await flux("feedback", id, "labels.csv", "-o", "after.jsonl");
  expect(learned.err).toContain(`${LABELLED} labels and 0 ratings kept, on this machine`);
  // One member alone is as good as it gets here; what matters is that labels put the broken one right.
  expect(learned.err).toMatch(/Answers: (learned|best-single)/);
  expect(await accuracy("after.jsonl")).toBeGreaterThan(before + 0.05);

  const wrong = `id,label\nr0,${(data.labels[0]! + 1) % 4}\n`;
  await writeFile(join(folder, "wrong.csv"), wrong);
  await expect(flux("feedback", id, "wrong.csv")).rejects.toThrow(/contradict/);

  const job = await coordinator.client.job(id);
  expect(job).toMatchObject({ custody: "submitter", status: "completed", aggregation: null });
  await expect(coordinator.client.giveFeedback(id, { labels: [{ record: "r0", label: 1 }] })).rejects.toMatchObject({
    code: "conflict",
  });
}, 240_000);
