/**
 * A coordinator that a test writes the script for: speaks the donor protocol over a real socket, serves artefacts, records
 * what it is told, and answers as the test says. Waiting is by event, never by time.
 */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type Socket, Server as SocketServer } from "socket.io";
import {
  type Answer,
  type CoordinatorNotice,
  type CoordinatorNoticeName,
  DONOR_NAMESPACE,
  DONOR_REQUESTS,
  type DonorAnswer,
  type DonorRequest,
  type DonorRequestName,
  type JobNotice,
  type Lease,
} from "#lib/protocol/donor.ts";
import { ERROR_CODES, type ErrorCode } from "#lib/protocol/errors.ts";
import { Digest, makeId } from "#lib/protocol/ids.ts";
import type { Artefact, StageSpec } from "#lib/protocol/stage.ts";

export type Told = {
  /** `sent`: as it came, with what the schema would drop. */
  [Name in DonorRequestName]: { name: Name; request: DonorRequest<Name>; sent: unknown; buffer: Uint8Array };
}[DonorRequestName];

export interface Bundle {
  leases: Lease[];
  jobs?: JobNotice[];
  packed?: Uint8Array;
}

export interface FakeCoordinator {
  readonly origin: string;
  /** All requests so far, in order. */
  readonly told: readonly Told[];
  /** The `nth` (from 0) request of a name, as soon as there is one. */
  nth<Name extends DonorRequestName>(name: Name, nth?: number): Promise<Extract<Told, { name: Name }>>;
  addArtefact(bytes: Uint8Array): Artefact;
  /** A digest that serves other bytes. */
  addForgedArtefact(): Artefact;
  /** Answers the next lease requests, in order. */
  offer(...bundles: Bundle[]): void;
  /** Answers a request otherwise than with success; return undefined for the usual. */
  refuse(rule: (told: Told) => { code: ErrorCode; detail: string } | undefined): void;
  /** Results are taken but not answered until `release`. */
  holdAnswers(): { release(): void };
  notice<Name extends CoordinatorNoticeName>(name: Name, notice: CoordinatorNotice<Name>): void;
  /** Breaks every connection as a crashed server would. */
  dropConnections(): void;
  close(): Promise<void>;
}

export interface FakeOptions {
  /** Serves other paths, e.g. a page and its assets. */
  serve?: (request: IncomingMessage, response: ServerResponse) => void;
}

export async function startFakeCoordinator({ serve }: FakeOptions = {}): Promise<FakeCoordinator> {
  const artefacts = new Map<string, Uint8Array>();
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  const bundles: Bundle[] = [];
  const heldAsks: (() => void)[] = [];
  let refusal: (told: Told) => { code: ErrorCode; detail: string } | undefined = () => undefined;
  let heldAnswers: (() => void)[] | null = null;

  const http = createServer((request, response) => {
    const digest = /^\/artefacts\/([0-9a-f]{64})$/.exec(request.url ?? "")?.[1];
    const bytes = digest && artefacts.get(digest);
    if (bytes) response.end(bytes);
    else if (serve) serve(request, response);
    else response.writeHead(404).end();
  });
  const io = new SocketServer(http, { transports: ["websocket"], maxHttpBufferSize: 8 * 2 ** 20 });
  const donors = io.of(DONOR_NAMESPACE);
  donors.on("connection", (socket) => {
    for (const name of Object.keys(DONOR_REQUESTS) as DonorRequestName[]) listen(socket, name);
  });

  function listen<Name extends DonorRequestName>(socket: Socket, name: Name): void {
    socket.on(name as string, (body: unknown, buffer: Uint8Array, acknowledge: (a: unknown, b: Uint8Array) => void) => {
      // What the donor says has to fit the schema: a test that sends something else must fail.
      const request = DONOR_REQUESTS[name].request.parse(body);
      const entry = { name, request, sent: body, buffer: new Uint8Array(buffer) } as Told;
      told.push(entry);
      for (const wake of [...waiting]) wake();
      const refused = refusal(entry);
      const no = refused && { ok: false, ...refused, retryable: ERROR_CODES[refused.code].retryable };
      const say = (answer: Answer<unknown>, down = new Uint8Array(0)): void => acknowledge(answer, down);
      if (no) return acknowledge(no, new Uint8Array(0));
      switch (entry.name) {
        case "lease:request":
          return answerAsk(say);
        case "result:submit": {
          const accept = (): void => say({ ok: true, value: { kind: "accepted", units: 1 } });
          return void (heldAnswers ? heldAnswers.push(accept) : accept());
        }
        default:
          return say({ ok: true, value: usual(entry) });
      }
    });
  }

  function usual(entry: Told): DonorAnswer<DonorRequestName> {
    switch (entry.name) {
      case "donor:hello":
        return {
          donorId: makeId("don", randomBytes(20)),
          resumeToken: "resume-token",
          country: "NO",
          donorsOnline: 1,
          longPollMs: 25_000,
        };
      case "lease:return":
        return { returned: entry.request.leases.length };
      default:
        return null;
    }
  }

  function answerAsk(say: (answer: Answer<unknown>, down?: Uint8Array<ArrayBuffer>) => void): void {
    const bundle = bundles.shift();
    if (!bundle) {
      heldAsks.push(() => answerAsk(say));
      return;
    }
    const value = { kind: "bundle", leases: bundle.leases, jobs: bundle.jobs ?? [] };
    say({ ok: true, value }, new Uint8Array(bundle.packed ?? []));
  }

  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const address = http.address();
  const port = typeof address === "object" && address ? address.port : 0;

  return {
    origin: `http://127.0.0.1:${port}`,
    told,
    async nth<Name extends DonorRequestName>(name: Name, nth = 0) {
      for (;;) {
        const found = told.filter((entry): entry is Extract<Told, { name: Name }> => entry.name === name)[nth];
        if (found) return found;
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    addArtefact(bytes) {
      const digest = Digest.parse(createHash("sha256").update(bytes).digest("hex"));
      artefacts.set(digest, bytes);
      return { digest, bytes: bytes.length };
    },
    addForgedArtefact() {
      const digest = Digest.parse("0".repeat(64));
      artefacts.set(digest, new Uint8Array([1, 2, 3]));
      return { digest, bytes: 3 };
    },
    offer(...more) {
      bundles.push(...more);
      while (bundles.length > 0 && heldAsks.length > 0) heldAsks.shift()?.();
    },
    refuse(rule) {
      refusal = rule;
    },
    holdAnswers() {
      heldAnswers = [];
      return {
        release() {
          const answers = heldAnswers ?? [];
          heldAnswers = null;
          for (const answer of answers) answer();
        },
      };
    },
    notice: (name, notice) => void donors.emit(name, notice),
    dropConnections() {
      heldAsks.length = 0;
      for (const socket of donors.sockets.values()) socket.conn.close(true);
    },
    async close() {
      await io.close();
      http.closeAllConnections();
    },
  };
}

/** A lease with everything usual; `inlineOffset` 0, so that the payload rides in the answer. */
export function makeLease(overrides: Partial<Lease> & Pick<Lease, "specDigest">): Lease {
  return {
    leaseId: makeId("ls", randomBytes(20)),
    fence: 1,
    microtaskId: makeId("mt", randomBytes(20)),
    stageId: makeId("stg", new Uint8Array(20)),
    jobId: makeId("job", new Uint8Array(20)),
    kernel: "onnx",
    unitStart: 0,
    unitCount: 1,
    batch: 0,
    prime: 0,
    payloadBytes: 4,
    resultBytes: 4,
    inlineOffset: 0,
    leaseMs: 10_000,
    predictedMs: 1_000,
    ...overrides,
  };
}

/** The spec of an onnx stage that reads and writes one float a record. */
export function makeOnnxSpec(
  model: Artefact,
  overrides: Partial<Extract<StageSpec, { kernel: "onnx" }>> = {},
): StageSpec {
  return {
    kernel: "onnx",
    version: 1,
    jobId: makeId("job", new Uint8Array(20)),
    stageId: makeId("stg", new Uint8Array(20)),
    model,
    inputs: [
      {
        name: "x",
        stored: { name: "x", dtype: "FP32", shape: [1] },
        model: { name: "x", dtype: "FP32", shape: [1] },
        scale: 1,
        offset: 0,
      },
    ],
    outputs: [{ name: "y", dtype: "FP32", shape: [1] }],
    batchRecords: 1,
    ...overrides,
  };
}
