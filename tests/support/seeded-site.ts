/** A coordinator with something on every page: a public job of pictures, an encrypted one, one that waits, one that was cancelled. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { digitsCsv } from "#lib/client/demo/sample-data.ts";
import { FluxClient } from "#lib/client/flux-client.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { startNodeDonor } from "./node-donor.ts";
import type { Things } from "./page-table.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

export interface SeededSite {
  readonly server: ServerProcess;
  readonly client: FluxClient;
  readonly things: Things;
  close(): Promise<void>;
}

const DEMO = resolve(import.meta.dirname, "../../public/demo");
const DIGITS = 96;

export async function startSeededSite(): Promise<SeededSite> {
  const server = await startServerProcess();
  const client = new FluxClient({ url: server.url, apiKey: server.apiKey });
  const model = async (name: string) => {
    const file = await client.uploadFile(new Blob([await readFile(resolve(DEMO, name))]), name, "model");
    return (await client.createModel({ file_id: file.id })).id;
  };
  const square = await model("digits-square.onnx");
  const relu = await model("digits-relu.onnx");
  const file = await client.uploadFile(new Blob([digitsCsv(DIGITS)]), "digits.csv", "dataset");
  const dataset = await client.createDataset({ file_id: file.id, label_column: "digit", scale: 1 / 255 });
  const post = async (path: string, body: object): Promise<void> => {
    const headers = { Authorization: `Bearer ${server.apiKey}`, "Content-Type": "application/json" };
    const response = await fetch(`${server.url}/api/v1${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  };
  const submit = async (request: { model: string; privacy: "public" | "encrypted"; name: string }): Promise<JobId> =>
    (await client.createJob({ ...request, dataset: dataset.id, accept_fidelity: true })).id;

  const donors = [await startNodeDonor({ url: server.url }), await startNodeDonor({ url: server.url })];
  const completedJob = await submit({ model: relu, privacy: "public", name: "Postcodes, June" });
  const encryptedJob = await submit({ model: square, privacy: "encrypted", name: "Postcodes, sealed letters" });
  for (const job of [completedJob, encryptedJob]) {
    const done = await client.waitForJob(job, { pollMs: 50 });
    if (done.status !== "completed") throw new Error(`${job} ended as ${done.status}: ${done.error?.detail}`);
  }
  for (const donor of donors) await donor.stop();
  const waitingJob = await submit({ model: relu, privacy: "public", name: "Postcodes, July" });
  const canceledJob = await submit({ model: relu, privacy: "public", name: "A try" });
  await client.cancelJob(canceledJob);
  await post("/sites", { name: "Garden birds", origins: ["https://birds.example", "https://www.birds.example"] });
  await post("/groups", { name: "Physics lab, room 12" });
  return {
    server,
    client,
    things: { completedJob, encryptedJob, waitingJob, canceledJob, dataset: dataset.id, model: square },
    close: () => server.close(),
  };
}
