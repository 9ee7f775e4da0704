/**
 * `npm run bench:ensemble`: an encrypted job of one CryptoNets-shaped model on 4,096 real digits, and one of five such members on the
 * same digits: bytes that donors fetched and sent, counted on their side of the socket, and whether the answers are right.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { evaluate } from "#lib/model/evaluate.ts";
import type { Graph } from "#lib/model/graph.ts";
import { SHARED_DATA, startTestCoordinator } from "../support/coordinator.ts";
import { ensembleMember } from "../support/ensemble-models.ts";
import { startNodeDonor } from "../support/node-donor.ts";

const MNIST = join(SHARED_DATA, "mnist");
const RECORDS = Number(process.env.FLUX_BENCH_RECORDS ?? 4_096);
const MEMBERS = 5;
const DONORS = 2;
const PIXELS = 28 * 28;
const CLASSES = 10;
const NPY_HEADER = 128;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });

if (!existsSync(MNIST)) {
  console.log("Skipped: the shared handwritten digits (../shared/data/mnist) are not here.");
  process.exit(0);
}

const model = await readFile(join(MNIST, "mnist-cryptonets.onnx"));
const images = await readFile(join(MNIST, "images.npy"));
const pixels = images.subarray(NPY_HEADER, NPY_HEADER + RECORDS * PIXELS);
const members = Array.from({ length: MEMBERS }, (_, member) => ensembleMember(model, member));

const megabytes = ({ down, up }: { readonly down: number; readonly up: number }) =>
  `${(down / 1e6).toFixed(1)} MB down, ${(up / 1e6).toFixed(1)} MB up`;
const percent = (value: number) => `${(100 * value).toFixed(2)} %`;

const single = await measure(members.slice(0, 1));
const ensemble = await measure(members);
const share = ensemble.bytes / MEMBERS / single.bytes;
console.log(`one member:  ${megabytes(single)}, same answers as the plain model ${percent(single.same)}`);
console.log(
  `${MEMBERS} members:   ${megabytes(ensemble)}, same answers as the plain ensemble ${percent(ensemble.same)}`,
);
console.log(
  `bytes per member: ${percent(share)} of the single job's (wanted: at most 25 %); down alone: ${percent(ensemble.down / MEMBERS / single.down)}`,
);
process.exit(share <= 0.25 && ensemble.same >= 0.99 && single.same >= 0.99 ? 0 : 1);

async function measure(of: readonly { readonly graph: Graph; readonly bytes: Uint8Array<ArrayBuffer> }[]) {
  const coordinator = await startTestCoordinator();
  const { client, url } = coordinator;
  try {
    const file = await client.uploadFile(new Blob([npy(pixels)]), "digits.npy", "dataset");
    const dataset = await client.createDataset({ file_id: file.id, scale: 1 / 255 });
    const models = [];
    for (const [m, { bytes }] of of.entries()) {
      const modelFile = await client.uploadFile(new Blob([bytes]), `member${m}.onnx`, "model");
      models.push((await client.createModel({ file_id: modelFile.id })).id);
    }
    const startedMs = performance.now();
    const job = await client.createJob({ models, dataset: dataset.id, min_fidelity: 0.99, aggregation: "auto" });
    const donors = await Promise.all(Array.from({ length: DONORS }, () => startNodeDonor({ url })));
    const done = await client.waitForJob(job.id);
    if (done.status !== "completed") throw new Error(`${done.status}: ${done.error?.detail}`);
    const seconds = (performance.now() - startedMs) / 1000;
    await Promise.all(donors.map((donor) => donor.stop()));
    const down = donors.reduce((sum, donor) => sum + donor.traffic().down, 0);
    const up = donors.reduce((sum, donor) => sum + donor.traffic().up, 0);
    const rows = (await (await client.results(job.id, "jsonl")).text())
      .trimEnd()
      .split("\n")
      .map((line) => Row.parse(JSON.parse(line)).outputs.logits);
    const expected = plainAnswers(of.map(({ graph }) => graph));
    const same = rows.filter((row, r) => row.indexOf(Math.max(...row)) === expected[r]).length / rows.length;
    console.log(`  ${of.length} member(s): ${seconds.toFixed(0)} s, ${done.plan?.microtasks} microtasks planned`);
    return { down, up, bytes: down + up, same };
  } finally {
    await coordinator.close();
  }
}

/** The class that the plain models' mean probability is highest for. */
function plainAnswers(graphs: readonly Graph[]): number[] {
  const sums = new Float64Array(RECORDS * CLASSES);
  const inputs = Float64Array.from(pixels, (value) => value * (1 / 255));
  for (const graph of graphs) {
    const input = graph.inputs[0]!.name;
    const outputs = evaluate(graph, { records: RECORDS, inputs: new Map([[input, inputs]]) });
    const logits = outputs.get("logits")!.data;
    for (let r = 0; r < RECORDS; r++) {
      const row = Float64Array.from({ length: CLASSES }, (_, c) => Math.exp(Number(logits[r * CLASSES + c])));
      const total = row.reduce((a, b) => a + b, 0);
      row.forEach((power, c) => {
        sums[r * CLASSES + c]! += power / total;
      });
    }
  }
  return Array.from({ length: RECORDS }, (_, r) => {
    const row = sums.subarray(r * CLASSES, (r + 1) * CLASSES);
    return row.indexOf(Math.max(...row));
  });
}

function npy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${RECORDS}, 28, 28), }`;
  const file = new Uint8Array(NPY_HEADER + bytes.length);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, NPY_HEADER - 10, 0]);
  file.set(new TextEncoder().encode(literal.padEnd(NPY_HEADER - 11).concat("\n")), 10);
  file.set(bytes, NPY_HEADER);
  return file;
}
