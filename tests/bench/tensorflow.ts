/**
 * `npm run bench:tensorflow`: how a donor should run a TensorFlow model. The same network by TensorFlow.js on WebAssembly
 * and as ONNX, written from our graph, by onnxruntime-web on WebAssembly; one thread each, the same batch, turn by turn.
 * TensorFlow.js is the baseline.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import * as ort from "onnxruntime-web/wasm";
import { elementCount } from "#lib/model/graph.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";
import { importLayersModel } from "#lib/model/tensorflow/layers-model.ts";
import { readTfjsModel } from "#lib/model/tensorflow/model-json.ts";
import { fillWeights, savedFiles } from "#tests/unit/model/tensorflow/tfjs.ts";

const BATCH = 256;
const WARM_UPS = 3;
const RUNS = 15;
const { layers } = tfl;
type Layer = ReturnType<typeof layers.dense>;

const networks: Readonly<Record<string, () => readonly unknown[]>> = {
  "dense 8-50-50-1": () => [
    layers.dense({ inputShape: [8], units: 50, activation: "sigmoid" }),
    layers.dense({ units: 50, activation: "sigmoid" }),
    layers.dense({ units: 1 }),
  ],
  "dense 784-512-512-10": () => [
    layers.dense({ inputShape: [784], units: 512, activation: "relu" }),
    layers.dense({ units: 512, activation: "relu" }),
    layers.dense({ units: 10, activation: "softmax" }),
  ],
  "conv 28×28, 16 and 32 filters": () => [
    layers.conv2d({ inputShape: [28, 28, 1], filters: 16, kernelSize: 3, padding: "same", activation: "relu" }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.conv2d({ filters: 32, kernelSize: 3, padding: "same", activation: "relu" }),
    layers.maxPooling2d({ poolSize: 2 }),
    layers.flatten(),
    layers.dense({ units: 10, activation: "softmax" }),
  ],
  "separable 32×32×3, batch norm": () => [
    layers.conv2d({ inputShape: [32, 32, 3], filters: 16, kernelSize: 3, strides: 2, padding: "same" }),
    layers.batchNormalization(),
    layers.reLU({}),
    layers.separableConv2d({ filters: 32, kernelSize: 3, padding: "same" }),
    layers.batchNormalization(),
    layers.reLU({}),
    layers.globalAveragePooling2d({}),
    layers.dense({ units: 10, activation: "softmax" }),
  ],
};

const wasmEntry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
setWasmPaths(`${dirname(wasmEntry)}/`);
setThreadsCount(1);
await tf.setBackend("wasm");
await tf.ready();
ort.env.wasm.numThreads = 1;

console.log(`Records per second, one thread, batches of ${BATCH}, median of ${RUNS} runs after ${WARM_UPS}\n`);
console.log("network                           TensorFlow.js    onnxruntime    ratio");
const results = [];
for (const [name, build] of Object.entries(networks)) {
  const model = tfl.sequential({ layers: build() as Layer[] });
  fillWeights(model);
  const shape = [BATCH, ...model.inputs[0]!.shape.slice(1).map(Number)];
  const input = Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(0.7 * i));
  const graph = importLayersModel(readTfjsModel(await savedFiles(model)));
  const session = await ort.InferenceSession.create(writeOnnx(graph));
  const byTfjs = async () => {
    const x = tf.tensor(input, shape);
    const y = model.predict(x) as tf.Tensor;
    await y.data();
    tf.dispose([x, y]);
  };
  const byOrt = () => session.run({ [graph.inputs[0]!.name]: new ort.Tensor("float32", input, shape) });
  const [tfjsMs, ortMs] = await medians([byTfjs, byOrt]);
  const [tfjsRate, ortRate] = [(1000 * BATCH) / tfjsMs!, (1000 * BATCH) / ortMs!];
  results.push({ name, tfjsRate, ortRate, ratio: ortRate / tfjsRate });
  console.log(
    `${name.padEnd(32)} ${tfjsRate.toFixed(0).padStart(14)} ${ortRate.toFixed(0).padStart(14)} ${(ortRate / tfjsRate).toFixed(2).padStart(8)}`,
  );
}
mkdirSync("bench-results", { recursive: true });
writeFileSync("bench-results/tensorflow.json", `${JSON.stringify({ batch: BATCH, results }, null, 2)}\n`);

/** Milliseconds a run, each way in turn, so that a busy moment of the machine meets all of them. */
async function medians(ways: readonly (() => Promise<unknown>)[]): Promise<readonly number[]> {
  const times = ways.map((): number[] => []);
  for (let run = -WARM_UPS; run < RUNS; run++) {
    for (const [index, way] of ways.entries()) {
      const start = performance.now();
      await way();
      if (run >= 0) times[index]!.push(performance.now() - start);
    }
  }
  return times.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!);
}
