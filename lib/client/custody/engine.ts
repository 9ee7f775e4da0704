/**
 * The key-holder's thread: reads models and records, plans, encrypts and decrypts. Runs in a worker thread of Node and in a Web
 * Worker; what differs (decoders, where sections lie, where SEAL's WASM is) is passed in. Keys come with each call and are kept by the caller.
 */
import { piecesOf } from "#lib/aggregation/pieces.ts";
import { bindInputs } from "#lib/dataset/bind.ts";
import type { Decoders } from "#lib/dataset/context.ts";
import { type FlatRecords, flatRecords } from "#lib/dataset/flat-records.ts";
import { imagesOfModel } from "#lib/dataset/images-of-model.ts";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { modelInputs } from "#lib/dataset/model-inputs.ts";
import { type DatasetReader, openDataset } from "#lib/dataset/reader.ts";
import type { SectionReader, SectionSink } from "#lib/dataset/sections.ts";
import { openSegments, segmentDataset } from "#lib/dataset/segmented.ts";
import { blobSource } from "#lib/dataset/source.ts";
import { ResultAssembler } from "#lib/keyholder/assemble.ts";
import { calibrationRecords, coarseRanges, rangesOf } from "#lib/keyholder/calibration.ts";
import { encryptBatch } from "#lib/keyholder/encrypt-batch.ts";
import { openProgram } from "#lib/keyholder/open-program.ts";
import { type EncryptedPlan, planEncrypted, requireFidelity, ringOf } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import { blobBytes, blobRange, splitResults } from "#lib/lanes/block.ts";
import { encryptedFeatures, type KeyholderPlan, parseKeyholderPlan } from "#lib/lanes/plan.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import type { Graph } from "#lib/model/graph.ts";
import { loadModel } from "#lib/model/load.ts";
import { tensorInfo } from "#lib/model/tensor-info.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import { prepareOnThisThread } from "#worker/kernels/lanes/program-runner.ts";
import { type Handlers, serveCalls, type Wire } from "#worker/peer.ts";
import type { EngineCalls, EngineNotice, LocalPlan, OpenRequest, SentFile } from "./engine-calls.ts";

export interface EngineHost {
  readonly decoders: Decoders;
  /** Empty sections for the normalised records. */
  readonly makeSections: () => Promise<SectionSink & SectionReader>;
  /** Opens files that are named by their path; a browser has none. */
  readonly openPath?: (path: string) => Promise<Blob>;
  /** Where `seal_throws.wasm` is served, in a browser. */
  readonly wasmUrl?: string;
}

interface Inputs {
  readonly graphs: readonly Graph[];
  /** Whole records: their labels and ids. */
  readonly reader: DatasetReader;
  /** What is encrypted: records, or their segments. */
  readonly records: FlatRecords;
}

interface Planned {
  readonly plan: KeyholderPlan;
  readonly programs: readonly { readonly program: LaneProgram; readonly members: readonly number[] }[];
}

/** Serves calls on this thread until it is ended. */
export function serveEngine(wire: Wire, host: EngineHost): void {
  const notify = serveCalls<EngineCalls, EngineNotice>(
    wire,
    engineHandlers(host, (notice) => notify(notice)),
    (error) => (isFluxError(error) ? { code: error.code, detail: error.detail } : { code: "", detail: stackOf(error) }),
  );
}

function engineHandlers(host: EngineHost, notify: (notice: EngineNotice) => void): Handlers<EngineCalls> {
  const sealOptions = host.wasmUrl === undefined ? {} : { wasmUrl: host.wasmUrl };
  let inputs: Inputs | undefined;
  let planned: Planned | undefined;

  const opened = (): Inputs => {
    if (!inputs) throw new Error("models and dataset are not open");
    return inputs;
  };
  const made = (): Planned => {
    if (!planned) throw new Error("there is no plan yet");
    return planned;
  };
  const rowsOf = async (batch: number) => {
    const { records } = opened();
    const perBatch = made().plan.ring.n / 2;
    const start = batch * perBatch;
    const count = Math.min(perBatch, records.count - start);
    return { rows: count, features: records.features, data: await records.read(start, count) };
  };

  return {
    async open(request) {
      const { graphs, reader, units, bindings, pieces, models } = await openInputs(host, request);
      inputs = { graphs, reader, records: flatRecords(units, bindings) };
      return { value: { description: reader.description, pieces, models } };
    },

    async plan({ minFidelity }) {
      const { graphs, records } = opened();
      const calibration = await calibrationRecords(records);
      const ranges = await rangesOf(records);
      const made = await planEncrypted(graphs, calibration, {
        prepare: prepareOnThisThread,
        records: records.count,
        minFidelity,
        ...(ranges ? { ranges: coarseRanges(ranges) } : {}),
        ...sealOptions,
      });
      planned = { plan: made.plan, programs: made.programs };
      return { value: localPlan(made, graphs, minFidelity) };
    },

    async take({ plan, programs }) {
      planned = {
        plan: parseKeyholderPlan(plan),
        programs: programs.map(({ bytes, members }) => ({ program: decodeProgram(bytes), members })),
      };
      return { value: null };
    },

    async makeKey() {
      using key = await SealKey.create(ringOf(made().plan), sealOptions);
      return { value: Uint8Array.from(key.exportSecret()) };
    },

    async encrypt({ batch, secret }) {
      const { plan } = made();
      const features = encryptedFeatures(plan);
      const rows = await rowsOf(batch);
      using key = await SealKey.create(ringOf(plan), { secret: Uint8Array.from(secret), ...sealOptions });
      const lanes = new Uint8Array(blobBytes(plan.ring, features));
      const { seed, clippedValues } = await encryptBatch(plan, key, rows, (run, packed) => {
        const { offset, length } = blobRange(plan.ring, features, run);
        lanes.set(packed, offset);
        notify({ doing: "encrypting", batch, share: (offset + length) / lanes.length });
      });
      return { value: { seed: hexOf(seed), lanes, clippedValues }, transfer: [lanes.buffer] };
    },

    async decrypt({ batch, program: index, secret, results }) {
      const { plan, programs } = made();
      const entry = programs[index];
      if (!entry) throw new Error(`the plan has no program ${index}`);
      const assembler = new ResultAssembler(entry.program);
      for (const { run, bytes } of splitResults(results, entry.program)) assembler.add(run, bytes);
      using key = await SealKey.create(ringOf(plan), { secret: Uint8Array.from(secret), ...sealOptions });
      const { graphs } = opened();
      const ofProgram = new Map(entry.members.map((member) => [member, graphs[member]!]));
      const { verdict, outputs, fidelity } = openProgram(plan, key, assembler, await rowsOf(batch), ofProgram);
      if (verdict.kind === "noise" || !fidelity) return { value: { verdict: "noise" } };
      return {
        value: {
          verdict: "sane",
          outliers: verdict.outliers,
          fidelity: {
            records: fidelity.records,
            same_answer_rate: fidelity.sameAnswers,
            largest_error: fidelity.largestError,
          },
          outputs: [...outputs].map(([member, values]) => ({ member, values })),
        },
      };
    },

    async labels({ start, count }) {
      return { value: await opened().reader.readLabels(start, count) };
    },

    async ids({ start, count }) {
      const { reader } = opened();
      return { value: reader.description.id ? await reader.readIds(start, count) : null };
    },
  };
}

async function openInputs(host: EngineHost, { models, dataset, ingest, inputs, segments }: OpenRequest) {
  const loaded = [];
  for (const { name, content } of models) {
    const blob = await contentOf(host, content);
    loaded.push({ name, model: await loadModel(new Uint8Array(await blob.arrayBuffer()), name) });
  }
  const [first] = loaded;
  if (!first) throw new FluxError("invalid_request", "A job needs at least one model.");
  const graphs = loaded.map(({ model: { graph } }) => {
    if (isFluxError(graph)) throw graph;
    return graph;
  });
  const sections = await host.makeSections();
  // Images that are cut stay as large as they are: the model's input is one tile.
  const modelImages = segments ? null : imagesOfModel(first.model.inputs.map(tensorInfo));
  const images = modelImages ? { modelImages } : {};
  const options = { fileName: dataset.name, decoders: host.decoders, ...images, ...ingest };
  const description = await ingestDataset(blobSource(await contentOf(host, dataset.content)), options, sections);
  const infos = loaded.map(({ name, model }) => ({
    name,
    inputs: model.inputs.map(tensorInfo),
    outputs: model.outputs.map(tensorInfo),
  }));
  const cut = segmentDataset(description, segments);
  const { inputs: bindings } = bindInputs(cut.description, modelInputs(infos[0]!), { inputs });
  const reader = openDataset(description, sections);
  const pieces = piecesOf(cut.plan?.segments ?? null);
  return { graphs, bindings, reader, units: openSegments(reader, cut), pieces, models: infos };
}

async function contentOf(host: EngineHost, content: SentFile["content"]): Promise<Blob> {
  if (content instanceof Blob) return content;
  if (host.openPath) return host.openPath(content.path);
  throw new Error("this engine has no file system");
}

function localPlan(made: EncryptedPlan, graphs: readonly Graph[], minFidelity: number): LocalPlan {
  const { rehearsals, cost } = made;
  const batchMs = rehearsals.reduce(
    (sum, { timing }) => sum + timing.encryptMs / rehearsals.length + timing.decryptMs,
    0,
  );
  return {
    plan: made.plan,
    programs: made.programs.map(({ programBytes, digest, members }) => ({ bytes: programBytes, digest, members })),
    members: graphs.map(({ outputs }) =>
      outputs.map(({ name, shape }) => ({
        name,
        dtype: "FP32" as const,
        shape: shape.filter((axis) => typeof axis === "number"),
      })),
    ),
    recordsPerBatch: cost.recordsPerBatch,
    fidelity: {
      records: Math.min(...rehearsals.map(({ fidelity }) => fidelity.records)),
      same_answer_rate: made.sameAnswers,
      largest_error: Math.max(...rehearsals.map(({ fidelity }) => fidelity.largestError)),
      mean_error: rehearsals.reduce((sum, { fidelity }) => sum + fidelity.meanError, 0) / rehearsals.length,
    },
    keyHolderMsPerRecord: batchMs / cost.recordsPerBatch,
    plainModelMsPerRecord: cost.plainMsPerRecord,
    refusal: refusalOf(made, minFidelity),
  };
}

function refusalOf(made: EncryptedPlan, minFidelity: number): string | null {
  try {
    requireFidelity(made, minFidelity);
    return null;
  } catch (error) {
    if (isFluxError(error) && error.code === "plan_fidelity") return error.detail;
    throw error;
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
