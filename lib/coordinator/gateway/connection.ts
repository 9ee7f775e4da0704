/**
 * One donor socket: hello first, then requests, each bounded. What a stranger can hold here: a few open requests, a write
 * buffer of a few frames, and some malformed frames until it is closed.
 */
import type { Socket } from "socket.io";
import { isBanned } from "#lib/integrity/reputation.ts";
import type { DonorRequest } from "#lib/protocol/donor.ts";
import { PROTOCOL_VERSION } from "#lib/protocol/donor.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { DonorRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Clock } from "../clock.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { DonorSession } from "../dispatch/donor-session.ts";
import type { Emitter } from "../dispatch/events.ts";
import { isIdle } from "../dispatch/waiters.ts";
import type { ReceiptBook } from "../receipts/receipt-book.ts";
import { belongingOf } from "./belonging.ts";
import { packBundle } from "./bundles.ts";
import { type DonorHandlers, donorRequests, failure, type Incoming, type Outgoing } from "./requests.ts";
import { makeResumeToken, readResumeToken } from "./resume-token.ts";

export interface GatewayEvents {
  "socket:opened": { readonly open: number };
  "socket:closed": { readonly open: number; readonly reason: string };
  /** A frame that fits no schema, or an event out of its order. */
  "socket:offence": { readonly what: string; readonly offences: number };
  /** The coordinator closed it. */
  "socket:dropped": { readonly why: "offences" | "no-hello" | "write-buffer" | "rate" };
  "socket:refused": { readonly why: string };
  "socket:failed": { readonly error: unknown };
}

export interface ConnectionContext {
  readonly dispatcher: Dispatcher;
  readonly store: Store;
  readonly clock: Clock;
  readonly events: Emitter<GatewayEvents>;
  readonly resumeSecret: Uint8Array;
  readonly ticketSecret: Uint8Array;
  /** Signs receipts; none are given where it is left out. */
  readonly receipts?: ReceiptBook | undefined;
  /** ISO 3166-1 alpha-2 of the connection, or null. */
  readonly country: string | null;
  /** Of this coordinator, as the donor's browser sees it. */
  readonly host: string;
}

/** A socket that says nothing is closed after this. */
const HELLO_MS = 15_000;
/** Open requests of one socket: a bundle's results at once, and a few more. */
const OPEN_REQUESTS = SOCKET_LIMITS.leasesPerBundle * SOCKET_LIMITS.bundlesPerDonor + 16;
/** Each may hold a frame of payload in memory. */
const OPEN_PAYLOADS = 4;
const OPEN_LEASE_REQUESTS = SOCKET_LIMITS.bundlesPerDonor;
/** Events a second that a busy donor never reaches: 64 leases of 3 s make about 50. */
const EVENTS_PER_SECOND = 500;
const NOT_OPEN = () =>
  new FluxError("rate_limited", "Too many requests are open on this socket: wait for answers first.");

export class Connection {
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #gone = new AbortController();
  readonly #read: (name: string, args: readonly unknown[]) => Incoming;
  readonly #open = { all: 0, payloads: 0, leases: 0 };
  #session: DonorSession | undefined;
  #greeted = false;
  #wantsReceipts = false;
  #offences = 0;
  #allowance = EVENTS_PER_SECOND;
  #allowanceAtMs: number;
  /** Bytes handed to the socket since it last drained, and since when. */
  #unsentBytes = 0;
  #unsentSinceMs = 0;
  /** When the last packet's first frame was here: its buffers, in frames of their own, come after it. */
  #envelopeAtMs: number;
  readonly #cancelHello: () => void;

  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#allowanceAtMs = context.clock.nowMs();
    this.#envelopeAtMs = this.#allowanceAtMs;
    this.#read = donorRequests(this.#handlers(), (error) => context.events.emit("socket:failed", { error }));
    this.#cancelHello = context.clock.after(HELLO_MS, () => {
      if (!this.#session) this.#drop("no-hello");
    });
    socket.conn.prependListener("data", (frame: unknown) => {
      if (typeof frame === "string") this.#envelopeAtMs = context.clock.nowMs();
    });
    socket.conn.on("drain", () => {
      this.#unsentBytes = 0;
    });
    socket.onAny((name: unknown, ...args: unknown[]) => this.#receive(String(name), args));
    socket.on("disconnect", () => this.#closed());
  }

  /** Closes a socket that does not take what it is sent. Called every few seconds. */
  sweep(nowMs: number): void {
    const stalledMs = this.#unsentBytes === 0 ? 0 : nowMs - this.#unsentSinceMs;
    if (this.#unsentBytes > SOCKET_LIMITS.writeBufferBytes || stalledMs > SOCKET_LIMITS.writeBufferStallMs) {
      this.#drop("write-buffer");
    }
  }

  #receive(name: string, args: readonly unknown[]): void {
    if (!this.#withinRate()) return;
    const incoming = this.#read(name, args);
    if (incoming.kind === "offence") {
      this.#send(incoming.acknowledge, incoming.outgoing);
      this.#offend(incoming.what);
      return;
    }
    if (this.#open.all >= OPEN_REQUESTS) {
      this.#send(incoming.acknowledge, failure(NOT_OPEN()));
      this.#offend("too many open requests");
      return;
    }
    this.#open.all++;
    void incoming.run().then((outgoing) => {
      this.#open.all--;
      this.#send(incoming.acknowledge, outgoing);
    });
  }

  #send(acknowledge: Incoming["acknowledge"], { answer, buffer }: Outgoing): void {
    if (!acknowledge || this.#gone.signal.aborted) return;
    if (this.#unsentBytes === 0) this.#unsentSinceMs = this.#context.clock.nowMs();
    this.#unsentBytes += 256 + (buffer?.byteLength ?? 0);
    acknowledge(answer, buffer);
    if (this.#unsentBytes > SOCKET_LIMITS.writeBufferBytes) this.#drop("write-buffer");
  }

  #handlers(): DonorHandlers {
    const { dispatcher, clock, receipts } = this.#context;
    return {
      "donor:hello": async (hello) => {
        if (this.#greeted) throw new FluxError("conflict", "This socket has said hello: open another one.");
        this.#greeted = true;
        try {
          return { value: await this.#hello(hello) };
        } catch (error) {
          this.#greeted = false;
          throw error;
        }
      },
      "donor:capability": async (capability) => {
        dispatcher.measured(this.#known(), capability);
        return { value: null };
      },
      "donor:signals": async (signals) => {
        dispatcher.signalled(this.#known(), signals);
        return { value: null };
      },
      "lease:request": (request) =>
        this.#limited("leases", OPEN_LEASE_REQUESTS, async () => {
          const answer = await dispatcher.request(this.#known(), request, this.#gone.signal);
          if (!isIdle(answer)) return packBundle(dispatcher, answer, clock.nowMs());
          return { value: { kind: "wait", why: answer.why, retryAfterMs: Math.min(1_000, answer.recheckAfterMs) } };
        }),
      "lease:return": async (request) => ({ value: { returned: dispatcher.returned(this.#known(), request) } }),
      "payload:get": ({ leaseId, fence }) =>
        this.#limited("payloads", OPEN_PAYLOADS, async () => ({
          value: null,
          buffer: await dispatcher.payload(this.#known(), leaseId, fence),
        })),
      "result:submit": async (submission, buffer) => {
        const uploadMs = clock.nowMs() - this.#envelopeAtMs;
        const session = this.#known();
        const work = this.#wantsReceipts ? dispatcher.workOf(submission.leaseId) : undefined;
        const units = await dispatcher.submit(session, submission, buffer, uploadMs);
        if (!work || !receipts) return { value: { kind: "accepted", units } };
        const acceptedAt = new Date(clock.nowMs()).toISOString();
        const receipt = await receipts.issue({ donor: session.id, ...work, units, accepted_at: acceptedAt });
        return { value: { kind: "accepted", units, receipt } };
      },
    };
  }

  async #hello(hello: DonorRequest<"donor:hello">) {
    const { dispatcher, store, clock, resumeSecret } = this.#context;
    if (hello.protocol !== PROTOCOL_VERSION) {
      throw new FluxError("protocol_version", `This coordinator speaks protocol ${PROTOCOL_VERSION}: reload the page.`);
    }
    const nowMs = clock.nowMs();
    const resumed = hello.resumeToken === undefined ? undefined : readResumeToken(resumeSecret, hello.resumeToken);
    const before = resumed && (await store.donors.get(resumed));
    if (before && (before.bannedAtMs !== null || isBanned(before))) {
      throw new FluxError("banned", "Too many results from this browser were wrong: it gets no more work.");
    }
    const country = hello.useRegion ? this.#context.country : null;
    const record: DonorRecord = {
      ...(before ?? newDonor(nowMs)),
      ...(await belongingOf(this.#context, hello, before, this.#context.host, nowMs)),
      country,
      lastSeenAtMs: nowMs,
      displayName: hello.displayName ?? before?.displayName ?? null,
    };
    await store.donors.upsert(record);
    if (this.#gone.signal.aborted) throw new FluxError("unavailable", "The connection ended.");
    const socket = this.#socket;
    this.#wantsReceipts = hello.receipts === true;
    this.#session = dispatcher.join({
      record,
      capability: hello.capability,
      signals: hello.signals,
      notify: (name, notice) => socket.emit(name, notice),
      disconnect: () => socket.disconnect(true),
    });
    return {
      donorId: record.id,
      resumeToken: makeResumeToken(resumeSecret, record.id),
      country,
      donorsOnline: dispatcher.donorsOnline,
      longPollMs: SOCKET_LIMITS.longPollMs,
    };
  }

  #known(): DonorSession {
    if (this.#session) return this.#session;
    throw new FluxError("hello_required", "Send donor:hello first and wait for its answer.");
  }

  async #limited<T>(kind: "payloads" | "leases", most: number, run: () => Promise<T>): Promise<T> {
    if (this.#open[kind] >= most) throw NOT_OPEN();
    this.#open[kind]++;
    try {
      return await run();
    } finally {
      this.#open[kind]--;
    }
  }

  /** A token bucket: a second's events may come at once. */
  #withinRate(): boolean {
    const nowMs = this.#context.clock.nowMs();
    this.#allowance += ((nowMs - this.#allowanceAtMs) * EVENTS_PER_SECOND) / 1000;
    this.#allowance = Math.min(EVENTS_PER_SECOND, this.#allowance) - 1;
    this.#allowanceAtMs = nowMs;
    if (this.#allowance >= 0) return true;
    this.#drop("rate");
    return false;
  }

  #offend(what: string): void {
    this.#offences++;
    this.#context.events.emit("socket:offence", { what, offences: this.#offences });
    if (this.#offences >= SOCKET_LIMITS.offencesBeforeDisconnect) this.#drop("offences");
  }

  #drop(why: GatewayEvents["socket:dropped"]["why"]): void {
    if (this.#gone.signal.aborted) return;
    this.#context.events.emit("socket:dropped", { why });
    this.#socket.disconnect(true);
    this.#closed();
  }

  #closed(): void {
    this.#cancelHello();
    this.#gone.abort();
    if (this.#session) this.#context.dispatcher.leave(this.#session);
    this.#session = undefined;
  }
}

function newDonor(nowMs: number): DonorRecord {
  return {
    id: freshId("don"),
    displayName: null,
    siteId: null,
    groupId: null,
    volunteerId: null,
    country: null,
    firstSeenAtMs: nowMs,
    lastSeenAtMs: nowMs,
    accepted: 0,
    refused: 0,
    units: 0,
    computeMs: 0,
    bannedAtMs: null,
  };
}
