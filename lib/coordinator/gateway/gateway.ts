/**
 * The donor gateway: Socket.IO on one namespace, WebSocket only, reached through one upgrade function that the custom
 * server calls. Knows nothing of work: it lets donors in, parses, bounds, and hands over to the dispatcher.
 */
import { Server as HttpServer, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { Server } from "socket.io";
import { DONOR_NAMESPACE } from "#lib/protocol/donor.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import type { Store } from "#lib/storage/store.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { Emitter } from "../dispatch/events.ts";
import type { ReceiptBook } from "../receipts/receipt-book.ts";
import { loadSecret } from "../secrets.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import { Connection, type GatewayEvents } from "./connection.ts";

/** Socket.IO's path; the custom server sends upgrades of this path here and no others. */
export const DONOR_SOCKET_PATH = "/socket.io/";

export interface GatewayOptions {
  readonly dispatcher: Dispatcher;
  readonly store: Store;
  readonly admission?: AdmissionOptions;
  /** Country of an address (ISO 3166-1 alpha-2). The address itself is not kept. */
  readonly countryOf?: (address: string) => string | null;
  /** Signs receipts; none are given where it is left out. */
  readonly receipts?: ReceiptBook;
  readonly clock?: Clock;
}

export interface Gateway {
  readonly events: Emitter<GatewayEvents>;
  /** For `upgrade` events of the one HTTP server. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly openSockets: () => number;
  /** Of this coordinator, as the client of a request sees it. */
  readonly hostOf: (request: IncomingMessage) => string;
  /** Tells donors that a restart comes; they finish and send. */
  readonly drain: (reconnectAfterMs: number) => void;
  readonly close: () => Promise<void>;
}

const SWEEP_MS = 5_000;
const STATS_MS = 5_000;
const RESUME_SECRET = "donor-resume-secret";
/** The setting with the secret that signs the tickets of embeds. */
export const TICKET_SECRET = "embed-ticket-secret";

export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { dispatcher, store, clock = systemClock } = options;
  const events = new Emitter<GatewayEvents>();
  const admission = new Admission(options.admission);
  const resumeSecret = await loadSecret(store, RESUME_SECRET);
  const ticketSecret = await loadSecret(store, TICKET_SECRET);
  // Socket.IO adds its own `upgrade` listener to the server that it is attached to. It is attached to this one, which
  // never listens and only hears what `upgrade` below forwards.
  const standIn = new HttpServer();
  const io = new Server(standIn, {
    path: DONOR_SOCKET_PATH,
    transports: ["websocket"],
    serveClient: false,
    cookie: false,
    perMessageDeflate: false,
    maxHttpBufferSize: SOCKET_LIMITS.frameBytes,
    pingInterval: 10_000,
    pingTimeout: 10_000,
    connectTimeout: 10_000,
    destroyUpgrade: true,
    allowRequest: (request, callback) => {
      void admission.admit(request).then((refused) => {
        if (refused) events.emit("socket:refused", { why: refused });
        callback(refused, refused === null);
      });
    },
  });
  // Every Socket.IO server has this namespace; nothing lives there.
  io.of("/").use((_socket, next) => next(new Error(`donors connect to ${DONOR_NAMESPACE}`)));

  const connections = new Set<Connection>();
  io.of(DONOR_NAMESPACE).on("connection", (socket) => {
    const country = options.countryOf?.(admission.addressOf(socket.request)) ?? null;
    const host = admission.hostOf(socket.request);
    const signing = { resumeSecret, ticketSecret, receipts: options.receipts };
    const connection = new Connection(socket, { dispatcher, store, clock, events, ...signing, country, host });
    connections.add(connection);
    events.emit("socket:opened", { open: connections.size });
    socket.on("disconnect", (reason) => {
      connections.delete(connection);
      events.emit("socket:closed", { open: connections.size, reason });
    });
  });

  const sweep = setInterval(() => {
    const nowMs = clock.nowMs();
    for (const connection of connections) connection.sweep(nowMs);
  }, SWEEP_MS).unref();

  let { accepted } = await store.donors.totals();
  const stopCounting = dispatcher.events.on("result:accepted", () => accepted++);
  let told = "";
  const stats = setInterval(() => {
    const notice = {
      donorsOnline: dispatcher.donorsOnline,
      jobsRunning: dispatcher.jobsOpen,
      microtasksAccepted: accepted,
    };
    if (JSON.stringify(notice) === told) return;
    told = JSON.stringify(notice);
    io.of(DONOR_NAMESPACE).volatile.emit("fleet:stats", notice);
  }, STATS_MS).unref();

  return {
    events,
    upgrade: (request, socket, head) => standIn.emit("upgrade", request, socket, head),
    openSockets: () => connections.size,
    hostOf: (request) => admission.hostOf(request),
    drain: (reconnectAfterMs) => io.of(DONOR_NAMESPACE).emit("coordinator:draining", { reconnectAfterMs }),
    close: async () => {
      clearInterval(sweep);
      clearInterval(stats);
      stopCounting();
      await io.close();
    },
  };
}
