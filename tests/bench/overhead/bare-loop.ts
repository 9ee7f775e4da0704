/**
 * The baseline: onnxruntime-web in a worker and nothing else, on one batch of made-up records, over and over. The worker stays
 * from round to round, as the donor's does: a fresh one would be compiled for while it is measured.
 */
import { loadOrt } from "#worker/runtimes/ort.ts";

export interface BareLoopRequest {
  modelUrl: string;
  input: string;
  /** Of one record. */
  shape: number[];
  batchRecords: number;
  seconds: number;
}

let warm: Promise<() => Promise<unknown>> | null = null;

addEventListener("message", async ({ data }: MessageEvent<BareLoopRequest>) => {
  warm ??= open(data);
  const run = await warm;
  postMessage({ kind: "warm" });
  const startMs = performance.now();
  let records = 0;
  while (performance.now() - startMs < data.seconds * 1_000) {
    await run();
    records += data.batchRecords;
  }
  postMessage({ kind: "done", records, ms: performance.now() - startMs });
});

async function open(data: BareLoopRequest): Promise<() => Promise<unknown>> {
  const ort = await loadOrt("wasm", { threads: 1 });
  const model = new Uint8Array(await (await fetch(data.modelUrl)).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const elements = data.batchRecords * data.shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: elements }, (_, i) => ((i * 31) & 255) / 255);
  const run = () =>
    session.run({ [data.input]: new ort.Tensor("float32", values, [data.batchRecords, ...data.shape]) });
  for (let i = 0; i < 20; i++) await run();
  return run;
}
