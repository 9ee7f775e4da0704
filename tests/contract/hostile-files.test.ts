/**
 * Files made to harm, sent to a coordinator in a process of its own as a stranger would send them: each is refused with an error
 * that names the fix, within 2 s of that process' CPU and 256 MB above what it had before, and the next honest file is read.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FluxClient } from "#lib/client/flux-client.ts";
import type { FilePurpose } from "#lib/protocol/api/uploads.ts";
import type { Preprocessing } from "#lib/protocol/datasets.ts";
import { type ErrorCode, isFluxError } from "#lib/protocol/errors.ts";
import {
  hollowLists,
  largeJpegs,
  lyingPages,
  manyEntries,
  overlapping,
  parquetFooter,
  pngHeader,
  redeclared,
} from "#tests/support/hostile-datasets.ts";
import { type KillableCoordinator, startKillable } from "#tests/support/killable-coordinator.ts";
import { modelWithWeights } from "#tests/support/linear-model.ts";
import { npy } from "#tests/unit/dataset/support.ts";
import { hdf5File, kerasArchive, legacyH5 } from "#tests/unit/model/tensorflow/keras-files.ts";
import { fillWeights, startTfjs, tfl } from "#tests/unit/model/tensorflow/tfjs.ts";

const MAX_CPU_MS = 2_000;
const MAX_PEAK_MIB = 256;
const MiB = 2 ** 20;

interface Hostile {
  readonly name: string;
  readonly purpose: FilePurpose;
  readonly filename: string;
  readonly make: () => Uint8Array | Promise<Uint8Array>;
  readonly preprocessing?: Preprocessing;
  readonly code: ErrorCode;
  /** The reason or the fix, in words. */
  readonly says: RegExp;
}

const text = (content: string) => new TextEncoder().encode(content);
const zeros = (mebibytes: number) => new Uint8Array(mebibytes * MiB);
const model = (hostile: Omit<Hostile, "purpose">): Hostile => ({ purpose: "model", ...hostile });
const dataset = (hostile: Omit<Hostile, "purpose">): Hostile => ({ purpose: "dataset", ...hostile });

const MODELS: readonly Hostile[] = [
  model({
    name: "zip bomb by ratio",
    filename: "m.zip",
    make: () => zipSync({ "model.json": zeros(64) }),
    code: "model_too_large",
    says: /times its size/,
  }),
  model({
    name: "zip with too many entries",
    filename: "m.zip",
    make: () => zipSync(Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, new Uint8Array(1)]))),
    code: "model_too_large",
    says: /more than 1000 entries/,
  }),
  model({
    name: "zip bomb inside a zip",
    filename: "m.zip",
    make: () => zipSync({ "m.keras": zipSync({ "config.json": zeros(64) }) }),
    code: "model_unreadable",
    says: /an archive in an archive: upload m\.keras itself/,
  }),
  model({
    name: "zip with a climbing name",
    filename: "m.zip",
    make: () => zipSync({ "../../etc/passwd": text("x"), "model.json": text("{}") }),
    code: "model_unreadable",
    says: /etc\/passwd/,
  }),
  model({
    name: ".keras whose configuration is a bomb",
    filename: "m.keras",
    make: () => zipSync({ "config.json": zeros(64), "model.weights.h5": text("x") }),
    code: "model_too_large",
    says: /times its size/,
  }),
  model({
    name: "HDF5 that declares 16 EB",
    filename: "m.keras",
    make: absurdHdf5,
    code: "model_unreadable",
    says: /HDF5.*declares what it does not hold/,
  }),
  model({
    name: "HDF5 that sends its library round in circles",
    filename: "m.h5",
    make: loopingHdf5,
    code: "model_too_large",
    says: /damaged or made to do so. Save it again/,
  }),
  model({
    name: "HDF5 in name only",
    filename: "m.h5",
    make: () => Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 255, 255, 255, 255, 255, 255),
    code: "model_unreadable",
    says: /HDF5.*Save the model again/,
  }),
  model({
    name: "protobuf nested ten million deep",
    filename: "m.onnx",
    make: () => nestedProtobuf(4_000),
    code: "model_too_large",
    says: /nest deeper/,
  }),
  model({
    name: "protobuf of twenty million empty messages",
    filename: "m.onnx",
    make: manyMessages,
    code: "model_too_large",
    says: /more than 2000000 fields/,
  }),
  model({
    name: "ONNX weights of 2 GB that are not there",
    filename: "m.onnx",
    make: () => modelWithWeights({ name: "w", dims: [2n ** 29n, 1n], dataType: 1, rawData: new Uint8Array(4) }, 2, 2),
    code: "model_too_large",
    says: /"w"/,
  }),
  model({
    name: "JSON with __proto__",
    filename: "m.zip",
    make: () => zipSync({ "model.json": text('{"modelTopology":{"__proto__":{"node":[]}},"weightsManifest":[]}') }),
    code: "model_unreadable",
    says: /__proto__/,
  }),
  model({
    name: "JSON nested a million deep",
    filename: "m.zip",
    make: () => zipSync({ "model.json": text(`{"modelTopology":${"[".repeat(MiB)}`) }, { level: 0 }),
    code: "model_too_large",
    says: /nests deeper/,
  }),
  model({
    name: "a pickle",
    filename: "model.onnx",
    make: () => Uint8Array.of(0x80, 4, 0x95, 0, 0),
    code: "model_unreadable",
    says: /never opened here/,
  }),
  model({
    name: "TensorFlow.js layers that ask for 8 TB of weights",
    filename: "m.zip",
    make: () => zipSync({ "model.json": text(JSON.stringify(hugeRecurrent())), "w.bin": new Uint8Array(4) }),
    code: "model_unsupported",
    says: /LSTM/,
  }),
];

const DATASETS: readonly Hostile[] = [
  dataset({
    name: "zip bomb by ratio",
    filename: "d.zip",
    make: () => zipSync({ "a.png": zeros(64) }),
    code: "dataset_unsafe",
    says: /more than 200 times its size/,
  }),
  dataset({
    name: "zip bomb that declares one byte",
    filename: "d.zip",
    make: () => redeclared(zipSync({ "a.png": zeros(64) }), 1),
    code: "dataset_unreadable",
    says: /does not have the 1 bytes/,
  }),
  dataset({
    name: "zip bomb by overlapping entries",
    filename: "d.zip",
    make: overlapping,
    code: "dataset_unsafe",
    says: /overlap/,
  }),
  dataset({
    name: "zip with ten million entries",
    filename: "d.zip",
    make: manyEntries,
    code: "dataset_unsafe",
    says: /10000000 entries/,
  }),
  dataset({
    name: "zip in a zip",
    filename: "d.zip",
    make: () => zipSync({ "a.png": new Uint8Array(9), "b.zip": zipSync({ "c.png": new Uint8Array(9) }) }),
    code: "dataset_unsafe",
    says: /archive inside the archive/,
  }),
  dataset({
    name: "zip with a climbing name",
    filename: "d.zip",
    make: () => zipSync({ "../../etc/passwd.png": new Uint8Array(9) }),
    code: "dataset_unsafe",
    says: /leads outside the archive/,
  }),
  dataset({
    name: "PNG of 65,535 × 65,535",
    filename: "d.zip",
    make: () => zipSync({ "huge.png": pngHeader(65_535, 65_535) }),
    code: "dataset_unsafe",
    says: /65535 × 65535 pixels/,
  }),
  dataset({
    name: "progressive JPEGs as large as allowed, then a broken one",
    filename: "d.zip",
    make: largeJpegs,
    preprocessing: { version: 1, images: { width: 28, height: 28, fit: "cover", channels: "rgb", layout: "chw" } },
    code: "dataset_unreadable",
    says: /"e.jpg" is not a PNG/,
  }),
  dataset({
    name: "Parquet whose pages have other lengths than its footer says",
    filename: "d.parquet",
    make: lyingPages,
    code: "dataset_unreadable",
    says: /claims/,
  }),
  dataset({
    name: "Parquet whose footer lists claim sixteen million elements, thirty deep",
    filename: "d.parquet",
    make: hollowLists,
    code: "dataset_unreadable",
    says: /claims more elements/,
  }),
  dataset({
    name: "Parquet with a footer nested 100,000 deep",
    filename: "d.parquet",
    make: () => parquetFooter(new Uint8Array(100_000).fill(0x1c)),
    code: "dataset_unsafe",
    says: /nested too deeply/,
  }),
  dataset({
    name: "JSON with __proto__",
    filename: "d.jsonl",
    make: () => text('{"a":1,"__proto__":{"admin":true}}\n'),
    code: "dataset_unsafe",
    says: /__proto__/,
  }),
  dataset({
    name: "JSON nested fifteen million deep",
    filename: "d.jsonl",
    make: () => zeros(15).fill(0x5b),
    code: "dataset_unsafe",
    says: /nested deeper than 16/,
  }),
  dataset({
    name: "NPY with pickles",
    filename: "d.npy",
    make: () => npy({ descr: "|O", shape: [2], data: text("cos\nsystem\n(S'true'\ntR.") }),
    code: "dataset_unsafe",
    says: /never opened/,
  }),
  dataset({
    name: "NPY with an absurd shape",
    filename: "d.npy",
    make: () => npy({ descr: "<f8", shape: [2 ** 31, 2 ** 31, 2 ** 31], data: new Uint8Array(8) }),
    code: "dataset_unreadable",
    says: /but 8 follow/,
  }),
  dataset({
    name: "NPZ whose array is a bomb",
    filename: "d.npz",
    make: () => zipSync({ "x.npy": npy({ descr: "|u1", shape: [64 * MiB], data: zeros(64) }) }),
    code: "dataset_unsafe",
    says: /more than 200 times/,
  }),
  dataset({
    name: "gzip bomb",
    filename: "d.csv.gz",
    make: () => gzipSync(Buffer.alloc(256 * MiB, "1,2,3\n")),
    code: "dataset_unsafe",
    says: /more than 200 times/,
  }),
  dataset({
    name: "CSV of one line of 100 MB",
    filename: "d.csv",
    make: () => zeros(100).fill(0x37),
    code: "dataset_too_large",
    says: /check the line ends/,
  }),
];

describe.skipIf(process.platform !== "linux")("hostile files over REST (measured with /proc: Linux only)", () => {
  let folder: string;
  let server: KillableCoordinator;
  let client: FluxClient;
  const worst = { cpuMs: 0, cpuOf: "", peakMiB: 0, peakOf: "" };

  beforeAll(async () => {
    await startTfjs();
    folder = await mkdtemp(join(tmpdir(), "flux-hostile-"));
    server = await startKillable(folder, 0);
    client = new FluxClient({ url: server.started.url, apiKey: server.started.firstKey ?? "" });
    await readHonestFiles();
  });
  afterAll(async () => {
    console.info(
      `costliest refusals over REST: ${worst.cpuMs.toFixed(0)} ms of CPU (${worst.cpuOf}), ${worst.peakMiB.toFixed(0)} MiB (${worst.peakOf})`,
    );
    server.child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  it.each([...MODELS, ...DATASETS])("$purpose: $name", async (hostile) => {
    const { name, purpose, filename, make, preprocessing, code, says } = hostile;
    const bytes = new Uint8Array(await make());
    const { id } = await client.uploadFile(new Blob([bytes]), filename, purpose);
    const before = usage(server.child.pid);
    const request = { file_id: id, ...(preprocessing ? { preprocessing } : {}) };
    const reading: Promise<unknown> =
      purpose === "model" ? client.createModel({ file_id: id }) : client.createDataset(request);
    const error = await reading.then(
      () => new Error("was accepted"),
      (thrown: unknown) => thrown,
    );
    const after = usage(server.child.pid);
    if (!isFluxError(error)) throw error;
    expect({ code: error.code, detail: error.detail }).toEqual({ code, detail: expect.stringMatching(says) });
    const cpuMs = after.cpuMs - before.cpuMs;
    const peakMiB = after.peakMiB - before.nowMiB;
    if (cpuMs > worst.cpuMs) Object.assign(worst, { cpuMs, cpuOf: name });
    if (peakMiB > worst.peakMiB) Object.assign(worst, { peakMiB, peakOf: name });
    expect(cpuMs).toBeLessThanOrEqual(MAX_CPU_MS);
    expect(peakMiB).toBeLessThanOrEqual(MAX_PEAK_MIB);
  });

  it("and then reads honest files as before", readHonestFiles);

  async function readHonestFiles(): Promise<void> {
    const h5 = await client.uploadFile(new Blob([new Uint8Array(await legacyH5(smallNetwork()))]), "m.h5", "model");
    expect((await client.createModel({ file_id: h5.id })).format).toBe("keras");
    const csv = await client.uploadFile(new Blob(["a,b\n1,2\n"]), "d.csv", "dataset");
    expect((await client.createDataset({ file_id: csv.id })).records).toBe(1);
  }
});

/** Of a process: CPU so far, and memory now and at the peak since the call before (which resets the peak). */
function usage(pid: number | undefined): { cpuMs: number; nowMiB: number; peakMiB: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mebibytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  // Fields 14 and 15 of proc(5), in ticks of 10 ms.
  return {
    cpuMs: 10 * (Number(fields[11]) + Number(fields[12])),
    nowMiB: mebibytes("VmRSS"),
    peakMiB: mebibytes("VmHWM"),
  };
}

function smallNetwork(): tfl.LayersModel {
  const network = tfl.sequential({
    layers: [tfl.layers.dense({ inputShape: [4], units: 3, activation: "relu" }), tfl.layers.dense({ units: 2 })],
  });
  fillWeights(network);
  return network;
}

/** A kernel whose dataspace says [2^31, 2^31] where it is [4, 3]. */
async function absurdHdf5(): Promise<Uint8Array> {
  const archive = await kerasArchive(smallNetwork());
  const weights = new Map([["layers/dense/vars/0", { shape: [4, 3], data: new Float32Array(12) }]]);
  const bytes = (await hdf5File(weights)).slice();
  const view = new DataView(bytes.buffer);
  const at = positionOf(bytes, [4, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
  for (const axis of [0, 8]) view.setBigUint64(at + axis, 2n ** 31n, true);
  return zipSync({ ...unzipSync(archive), "model.weights.h5": bytes });
}

/**
 * The global heap (HDF5 file format 3.0, III.E) that holds model_config: its first object claims to be shorter than it is, so that the
 * next object's header is read out of its text. libhdf5 2.0 then goes over the heap for ever.
 */
async function loopingHdf5(): Promise<Uint8Array> {
  const bytes = (await legacyH5(smallNetwork())).slice();
  const heap = positionOf(bytes, [...text("GCOL")]);
  new DataView(bytes.buffer).setBigUint64(heap + 24, 1504n, true);
  return bytes;
}

function positionOf(bytes: Uint8Array, wanted: readonly number[]): number {
  const at = Buffer.from(bytes).indexOf(Buffer.from(wanted));
  if (at < 0) throw new Error("the file has no such bytes");
  return at;
}

/** ModelProto.graph (7), GraphProto.node (1), NodeProto.attribute (5), AttributeProto.g (6), node (1), … */
function nestedProtobuf(levels: number): Uint8Array {
  let inside: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  const wrap = (field: number, bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([(field << 3) | 2]), varint(bytes.length), bytes]);
  for (let level = 0; level < levels; level++) inside = wrap(1, wrap(5, wrap(6, inside)));
  return wrap(7, inside);
}

/** GraphProto.node (1) of no bytes, again and again. */
function manyMessages(): Uint8Array {
  const nodes = Buffer.alloc(2 * 20_000_000);
  for (let at = 0; at < nodes.length; at += 2) nodes[at] = (1 << 3) | 2;
  return Buffer.concat([Buffer.from([(7 << 3) | 2]), varint(nodes.length), nodes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}

/** Opened by TensorFlow.js alone, since import knows no LSTM: it would make the weights before it looks at the file's. */
function hugeRecurrent(): unknown {
  return {
    format: "layers-model",
    modelTopology: {
      class_name: "Sequential",
      config: {
        name: "s",
        layers: [{ class_name: "LSTM", config: { name: "r", units: 1_000_000, batch_input_shape: [null, 4, 8] } }],
      },
    },
    weightsManifest: [{ paths: ["w.bin"], weights: [{ name: "r/kernel", shape: [1], dtype: "float32" }] }],
  };
}
