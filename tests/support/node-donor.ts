/**
 * A donor in this process: speaks the donor protocol over a real socket and computes ONNX stages with onnxruntime-web and
 * encrypted ones with lane-simd, as a browser tab would, without the browser.
 */
import { createHash } from "node:crypto";
import * as ort from "onnxruntime-web/wasm";
import { io, type Socket } from "socket.io-client";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import {
  DONOR_NAMESPACE,
  DONOR_REQUESTS,
  type DonorAnswer,
  type DonorRequest,
  type DonorRequestName,
  type Lease,
  PROTOCOL_VERSION,
} from "#lib/protocol/donor.ts";
import type { Receipt } from "#lib/protocol/receipts.ts";
import { type OnnxStageSpec, type RuntimeId, StageSpec, type TfjsStageSpec } from "#lib/protocol/stage.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import { runRecords } from "#worker/kernels/records.ts";
import { tfjsKernel } from "#worker/kernels/tfjs.ts";
import type { Lie } from "./lies.ts";

export interface NodeDonorOptions {
  readonly url: string;
  /** Changes what an honest donor would send. */
  readonly falsify?: Lie;
  /** What its benchmark claims; a low figure makes small microtasks. @default 2e10 */
  readonly int8MacsPerSecond?: number;
  /** The same for float32; its timings then bear it out. @default 8e9 */
  readonly float32MacsPerSecond?: number;
  /** Milliseconds of work asked for at once. @default 1000 */
  readonly wantMs?: number;
  /** Said at hello besides: a site, a group, a volunteer. */
  readonly hello?: Partial<DonorRequest<"donor:hello">>;
  /** Of the handshake, e.g. what a proxy adds. */
  readonly headers?: Record<string, string>;
  /** A result was acknowledged. */
  readonly onAccepted?: (lease: Lease, receipt: Receipt | undefined) => void;
  /** A result was refused. */
  readonly onRefused?: (code: string) => void;
  /** Keeps what it is sent. @default false */
  readonly keepPayloads?: boolean;
}

export interface NodeDonor {
  readonly accepted: () => number;
  /** Bytes of payloads and artefacts that it fetched, and of results that it sent. */
  readonly traffic: () => { readonly down: number; readonly up: number };
  /** Every payload byte that it was sent, when asked to keep them. */
  readonly received: () => readonly Uint8Array[];
  /** Digests of the stages that it worked on. */
  readonly specs: () => readonly string[];
  readonly refused: () => readonly string[];
  /** Resolves when the connection is gone, whoever ended it. */
  readonly ended: Promise<void>;
  /** Closes the socket and waits until nothing runs any more. */
  readonly stop: () => Promise<void>;
}

interface Reply<Value> {
  readonly value: Value;
  readonly buffer: Uint8Array<ArrayBuffer>;
}

const EMPTY = new Uint8Array(0);
const TIMINGS = { queueMs: 0, downloadMs: 1, computeMs: 10, uploadMs: 1 };

interface Prepared {
  readonly runtime: RuntimeId;
  /** Of encrypted stages. */
  readonly program: LaneProgram | null;
  readonly compute: (lease: Lease, payload: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;
}

export async function startNodeDonor(options: NodeDonorOptions): Promise<NodeDonor> {
  const { url, falsify = (result) => result, keepPayloads = false, int8MacsPerSecond = 2e10 } = options;
  const { float32MacsPerSecond = 8e9, wantMs = 1_000, onAccepted = () => {}, onRefused = () => {} } = options;
  ort.env.wasm.numThreads = 1;
  const socket = io(`${url}${DONOR_NAMESPACE}`, {
    transports: ["websocket"],
    reconnection: false,
    forceNew: true,
    extraHeaders: options.headers ?? {},
  });
  const stages = new Map<string, Promise<Prepared>>();
  const received: Uint8Array[] = [];
  const refused: string[] = [];
  let accepted = 0;
  const traffic = { down: 0, up: 0 };
  let stopped = false;

  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  await request(socket, "donor:hello", {
    protocol: PROTOCOL_VERSION,
    useRegion: true,
    capability: {
      runtimes: [
        { runtime: "ort-wasm", threads: 1, selfTestPassed: true, int8MacsPerSecond: 2e10, float32MacsPerSecond },
        { runtime: "tfjs-wasm", threads: 1, selfTestPassed: true, int8MacsPerSecond: 0, float32MacsPerSecond },
        { runtime: "lane-simd", threads: 1, selfTestPassed: true, int8MacsPerSecond, float32MacsPerSecond: 0 },
      ],
      memoryBytes: 2 ** 29,
      logicalCores: 2,
      crossOriginIsolated: false,
      downloadBytesPerSecond: 1e8,
      measuredAt: new Date(0).toISOString(),
    },
    signals: {
      visible: true,
      cpuShare: 1,
      gpuShare: 1,
      onBattery: null,
      meteredLink: null,
      pressure: null,
      mainThreadLagMs: 0,
    },
    ...options.hello,
  });

  async function fetched(digest: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await artefact(url, digest);
    traffic.down += bytes.length;
    return bytes;
  }

  async function prepare(lease: Lease): Promise<Prepared> {
    const spec = StageSpec.parse(JSON.parse(new TextDecoder().decode(await fetched(lease.specDigest))));
    switch (spec.kernel) {
      case "onnx":
        return prepareOnnx(spec, await fetched(spec.model.digest));
      case "lanes":
        return prepareLanes(await fetched(spec.program.digest));
      case "tfjs":
        return prepareTfjs(spec, await fetched(spec.model.digest));
    }
  }

  async function compute(lease: Lease, payload: Uint8Array<ArrayBuffer>) {
    let known = stages.get(lease.specDigest);
    if (!known) {
      known = prepare(lease);
      stages.set(lease.specDigest, known);
    }
    const stage = await known;
    return { ...stage, result: await stage.compute(lease, payload) };
  }

  async function work(): Promise<void> {
    while (!stopped) {
      const { value, buffer } = await request(socket, "lease:request", {
        wantMs,
        memoryBytes: 2 ** 29,
        runtimes: ["ort-wasm", "tfjs-wasm", "lane-simd"],
        cached: [],
      });
      if (value.kind === "wait") continue;
      for (const lease of value.leases) {
        const { leaseId, fence } = lease;
        let payload: Uint8Array<ArrayBuffer>;
        try {
          payload =
            lease.inlineOffset === null
              ? (await request(socket, "payload:get", { leaseId, fence })).buffer
              : buffer.slice(lease.inlineOffset, lease.inlineOffset + lease.payloadBytes);
        } catch (error) {
          if (!socket.connected) return;
          // The lease ran out, or its job has ended, while others were computed: a tab takes the next one, too.
          refused.push(error instanceof Error ? error.message : String(error));
          continue;
        }
        if (keepPayloads) received.push(payload);
        traffic.down += payload.length;
        const { runtime, program, result } = await compute(lease, payload);
        try {
          const claimed = options.float32MacsPerSecond === undefined ? TIMINGS.computeMs : lease.predictedMs;
          const submission = { leaseId, fence, runtime, timings: { ...TIMINGS, computeMs: claimed } };
          const sent = falsify(result, lease, program);
          const { value: verdict } = await request(socket, "result:submit", submission, sent);
          traffic.up += sent.length;
          accepted++;
          onAccepted(lease, verdict.receipt);
        } catch (error) {
          if (!socket.connected) return;
          const code = error instanceof Error ? error.message : String(error);
          refused.push(code);
          onRefused(code);
        }
      }
    }
  }

  // The coordinator closes the socket of a donor that it bans.
  const working = work().catch((error: unknown) => {
    if (!stopped && socket.connected) throw error;
  });
  return {
    ended: working,
    accepted: () => accepted,
    traffic: () => ({ ...traffic }),
    received: () => received,
    specs: () => [...stages.keys()],
    refused: () => refused,
    stop: async () => {
      stopped = true;
      socket.disconnect();
      await working;
    },
  };
}

async function prepareOnnx(spec: OnnxStageSpec, model: Uint8Array<ArrayBuffer>): Promise<Prepared> {
  const session = await ort.InferenceSession.create(model);
  return {
    runtime: "ort-wasm",
    program: null,
    compute: (lease, payload) =>
      runRecords(
        spec,
        { payload, unitCount: lease.unitCount },
        async (inputs, records) => {
          const feeds = Object.fromEntries(
            spec.inputs.map((input, index) => [
              input.name,
              new ort.Tensor(inputs[index]!, [records, ...input.model.shape]),
            ]),
          );
          const results = await session.run(feeds);
          return spec.outputs.map(({ name }) => results[name]!.data as Float32Array);
        },
        async () => {},
      ),
  };
}

async function prepareTfjs(spec: TfjsStageSpec, model: Uint8Array<ArrayBuffer>): Promise<Prepared> {
  const stage = await tfjsKernel.prepare(spec, model, { allowed: [], threads: 1 });
  return {
    runtime: stage.runtime,
    program: null,
    compute: ({ microtaskId: taskId, stageId, unitStart, unitCount, batch, prime }, payload) =>
      stage.run({ taskId, stageId, unitStart, unitCount, batch, prime, payload }, async () => {}),
  };
}

async function prepareLanes(bytes: Uint8Array<ArrayBuffer>): Promise<Prepared> {
  const program = decodeProgram(bytes);
  const evaluator = await laneSimdRuntime.prepare(program);
  return { runtime: "lane-simd", program, compute: (_lease, payload) => runLanes(program, evaluator, payload) };
}

function request<Name extends DonorRequestName>(
  socket: Socket,
  name: Name,
  message: DonorRequest<Name>,
  buffer: Uint8Array = EMPTY,
): Promise<Reply<DonorAnswer<Name>>> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error("the socket closed"));
    if (!socket.connected && name !== "donor:hello") return gone();
    socket.once("disconnect", gone);
    socket.emit(name, message, buffer, (answer: unknown, data: unknown) => {
      socket.off("disconnect", gone);
      if (typeof answer !== "object" || answer === null || !("ok" in answer)) return reject(new Error("no answer"));
      if (answer.ok !== true) return reject(new Error("code" in answer ? String(answer.code) : "refused"));
      const value = DONOR_REQUESTS[name].answer.parse("value" in answer ? answer.value : null);
      const bytes = data instanceof Uint8Array ? new Uint8Array(data) : new Uint8Array(0);
      resolve({ value: value as DonorAnswer<Name>, buffer: bytes });
    });
  });
}

async function artefact(url: string, digest: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`${url}/artefacts/${digest}`);
  if (!response.ok) throw new Error(`artefact ${digest}: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (createHash("sha256").update(bytes).digest("hex") !== digest) throw new Error(`artefact ${digest} is not itself`);
  return bytes;
}
