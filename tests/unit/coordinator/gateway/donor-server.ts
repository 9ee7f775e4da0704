/** A coordinator of store, dispatcher and gateway on a free port, and clients for it: the smallest thing donors can join. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { io, type Socket } from "socket.io-client";
import { type Clock, systemClock } from "#lib/coordinator/clock.ts";
import { Dispatcher } from "#lib/coordinator/dispatch/dispatcher.ts";
import type { KernelServices } from "#lib/coordinator/dispatch/kernel-services.ts";
import type { AdmissionOptions } from "#lib/coordinator/gateway/admission.ts";
import { type Gateway, openGateway } from "#lib/coordinator/gateway/gateway.ts";
import {
  type Answer,
  DONOR_NAMESPACE,
  type DonorAnswer,
  type DonorRequest,
  type DonorRequestName,
  type Hello,
  type Lease,
} from "#lib/protocol/donor.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import type { CostModel } from "#lib/scheduling/types.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import type { StageRecord } from "#lib/storage/records.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import { insertSampleJob, type SampleJob, sampleBatch, sampleStage } from "#tests/contract/samples.ts";
import { BYTES_PER_UNIT, CAPABILITY, SIGNALS, services } from "../dispatch/harness.ts";

export interface DonorServer {
  readonly url: string;
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly gateway: Gateway;
  readonly costModel: CostModel;
  openStage(units: number, options?: StageOptions): Promise<StageRecord>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly msPerUnit?: number;
  readonly bytesPerUnit?: number;
  /** Whose it is; one submitter's where it is left out. */
  readonly of?: SampleJob;
  readonly plan?: Partial<StageRecord["definition"]>;
}

export interface DonorServerOptions {
  readonly clock?: Clock;
  readonly kernel?: KernelServices;
  readonly admission?: AdmissionOptions;
  /** Kept when it is given; a folder of its own otherwise. */
  readonly folder?: string;
  readonly port?: number;
}

export async function startDonorServer(options: DonorServerOptions = {}): Promise<DonorServer> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "flux-gateway-"));
  const store = openSqliteStore(join(folder, "flux.db"));
  const { clock = systemClock } = options;
  const costModel = createCostModel();
  const dispatcher = new Dispatcher({
    store,
    objects: openDiskObjects(folder),
    policy: createPolicy(),
    costModel,
    kernels: { onnx: options.kernel ?? services() },
    clock,
  });
  await dispatcher.restore();
  const gateway = await openGateway({ dispatcher, store, admission: options.admission ?? {}, clock });
  const server: Server = createServer((_request, response) => response.writeHead(404).end());
  server.on("upgrade", gateway.upgrade);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  let job: SampleJob | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    store,
    dispatcher,
    gateway,
    costModel,
    async openStage(units, { msPerUnit = 10, bytesPerUnit = BYTES_PER_UNIT, of, plan } = {}) {
      if (!of) job ??= await insertSampleJob(store, Date.now());
      const { tenantId, job: owner } = of ?? job!;
      const sample = sampleStage(tenantId, owner.id);
      const stage: StageRecord = {
        ...sample,
        unitBytesIn: bytesPerUnit,
        unitBytesOut: bytesPerUnit,
        definition: { ...sample.definition, unitMacs: msPerUnit * 1e6, ...plan },
      };
      await dispatcher.openStage(stage, 10, [sampleBatch(stage.id, 0, 1, units)]);
      return stage;
    },
    async close() {
      await gateway.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await dispatcher.close();
      await store.close();
      if (options.folder === undefined) rmSync(folder, { recursive: true });
    },
  };
}

export const HELLO: Hello = { protocol: 1, useRegion: true, capability: CAPABILITY, signals: SIGNALS };

export interface TestDonor {
  readonly socket: Socket;
  request<Name extends DonorRequestName>(
    name: Name,
    request: DonorRequest<Name>,
    buffer?: Uint8Array | null,
  ): Promise<{ answer: Answer<DonorAnswer<Name>>; buffer: Uint8Array | null }>;
  hello(hello?: Partial<Hello>): Promise<DonorAnswer<"donor:hello">>;
  /** A bundle, or an error with the reason for none. */
  lease(wantMs?: number): Promise<{ leases: Lease[]; buffer: Uint8Array }>;
  /** The answer's code, or "accepted". */
  submit(lease: { leaseId: Lease["leaseId"]; fence: number }, result: Uint8Array): Promise<string>;
  close(): void;
}

export function connectDonor(url: string, headers: Record<string, string> = {}): TestDonor {
  const socket = io(new URL(DONOR_NAMESPACE, url).href, {
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
    extraHeaders: headers,
  });
  const donor: TestDonor = {
    socket,
    request: (name, request, buffer = null) =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error("the connection ended"));
        socket.once("disconnect", gone);
        socket.emit(name, request, buffer, (answer: Answer<DonorAnswer<typeof name>>, down: Uint8Array | null) => {
          socket.off("disconnect", gone);
          resolve({ answer, buffer: down });
        });
      }),
    async hello(hello = {}) {
      const { answer } = await donor.request("donor:hello", { ...HELLO, ...hello });
      if (!answer.ok) throw new Error(answer.code);
      return answer.value;
    },
    async lease(wantMs = 3_000) {
      const { answer, buffer } = await donor.request("lease:request", {
        wantMs,
        memoryBytes: 2 ** 29,
        runtimes: ["ort-wasm"],
        cached: [],
      });
      if (!answer.ok) throw new Error(answer.code);
      if (answer.value.kind === "wait") throw new Error(answer.value.why);
      return { leases: answer.value.leases, buffer: buffer ?? new Uint8Array(0) };
    },
    async submit({ leaseId, fence }, result) {
      const timings = { queueMs: 0, downloadMs: 0, computeMs: 1, uploadMs: 0 };
      const { answer } = await donor.request("result:submit", { leaseId, fence, runtime: "ort-wasm", timings }, result);
      return answer.ok ? answer.value.kind : answer.code;
    },
    close: () => socket.disconnect(),
  };
  return donor;
}

/** Resolves when connected; rejects with what the server said. */
export function connected({ socket }: TestDonor): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("connect_error", reject);
  });
}

export function disconnected({ socket }: TestDonor): Promise<string> {
  return new Promise((resolve) => (socket.connected ? socket.once("disconnect", resolve) : resolve("already")));
}
