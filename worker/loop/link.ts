/**
 * The link to the coordinator: Socket.IO over WebSocket only. Says hello on every connection (with the resume token of
 * the one before), ties each request to its answer, and parses whatever arrives.
 *
 * A request ends in one of four ways: a value; a coded error; a timeout; the end of the connection. The last two are
 * FluxErrors with code `unavailable`, so a caller has one way to fail.
 */
import { io, type Socket } from "socket.io-client";
import { z } from "zod";
import {
  AnswerError,
  COORDINATOR_NOTICES,
  type CoordinatorNotice,
  type CoordinatorNoticeName,
  DONOR_NAMESPACE,
  DONOR_REQUESTS,
  type DonorAnswer,
  type DonorRequest,
  type DonorRequestName,
  type Hello,
  type Welcome,
} from "#lib/protocol/donor.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { Clock } from "../clock.ts";

export interface LinkEvents {
  /** Connected and welcomed; requests may go out. */
  online(welcome: Welcome): void;
  offline(): void;
  /** The coordinator does not want this donor, now or ever: connecting again would not help. */
  refused(error: FluxError): void;
  notice: { [Name in CoordinatorNoticeName]: (notice: CoordinatorNotice<Name>) => void };
}

export interface LinkOptions {
  origin: string;
  clock: Clock;
  /** Asked at every connection, so that it says what is true then. */
  hello: () => Omit<Hello, "resumeToken">;
  events: LinkEvents;
}

export interface RequestOptions {
  buffer?: Uint8Array<ArrayBuffer>;
  timeoutMs?: number;
}

export interface Link {
  readonly online: boolean;
  request<Name extends DonorRequestName>(
    name: Name,
    request: DonorRequest<Name>,
    options?: RequestOptions,
  ): Promise<LinkAnswer<Name>>;
  close(): void;
}

export interface LinkAnswer<Name extends DonorRequestName> {
  value: DonorAnswer<Name>;
  buffer: Uint8Array<ArrayBuffer>;
  /** How long the buffer took to arrive after its envelope: the download without the waiting before it. */
  bufferMs: number;
}

const REQUEST_TIMEOUT_MS = 20_000;
const RECONNECT_MS = 1_000;
/** Codes after which a new connection would be told the same. */
const FINAL_CODES: ReadonlySet<string> = new Set(["protocol_version", "banned", "forbidden", "invalid_request"]);
const EMPTY = new Uint8Array(0);

export function openLink({ origin, clock, hello, events }: LinkOptions): Link {
  const socket: Socket = io(new URL(DONOR_NAMESPACE, origin).href, {
    transports: ["websocket"],
    // A donor of its own for each link, also where tests open several in one process.
    forceNew: true,
    reconnectionDelay: 250,
    reconnectionDelayMax: 5_000,
    randomizationFactor: 0.5,
  });
  const open = new Set<(error: FluxError) => void>();
  let resumeToken: string | null = null;
  let online = false;
  let closed = false;
  let envelopeAtMs = clock.nowMs();
  // A packet is a text frame (the envelope), then its binary frames: each is announced when it has wholly arrived.
  socket.io.on("open", () =>
    socket.io.engine.on("data", (data: unknown) => {
      if (typeof data === "string") envelopeAtMs = clock.nowMs();
    }),
  );

  function reconnectLater(): void {
    clock.after(RECONNECT_MS, () => {
      if (!closed && !socket.active) socket.connect();
    });
  }

  function emit<Name extends DonorRequestName>(
    name: Name,
    request: DonorRequest<Name>,
    { buffer = EMPTY, timeoutMs = REQUEST_TIMEOUT_MS }: RequestOptions = {},
  ): Promise<LinkAnswer<Name>> {
    return new Promise((resolve, reject) => {
      const close = (): void => {
        open.delete(fail);
        cancelTimeout();
      };
      const fail = (error: FluxError): void => {
        close();
        reject(error);
      };
      const cancelTimeout = clock.after(timeoutMs, () =>
        fail(new FluxError("unavailable", `The coordinator did not answer ${name} in time`)),
      );
      open.add(fail);
      socket.emit(name, request, buffer, (answer: unknown, answerBuffer: unknown) => {
        if (!open.has(fail)) return;
        try {
          const value = parseAnswer(name, answer);
          close();
          resolve({ value, buffer: toBytes(answerBuffer), bufferMs: clock.nowMs() - envelopeAtMs });
        } catch (error) {
          fail(isFluxError(error) ? error : new FluxError("internal", `The answer to ${name} cannot be read`));
        }
      });
    });
  }

  socket.on("connect", async () => {
    try {
      const greeting = resumeToken === null ? hello() : { ...hello(), resumeToken };
      const { value } = await emit("donor:hello", greeting);
      resumeToken = value.resumeToken;
      online = true;
      events.online(value);
    } catch (error) {
      const failure = isFluxError(error) ? error : new FluxError("internal", String(error));
      if (FINAL_CODES.has(failure.code)) {
        socket.disconnect();
        events.refused(failure);
      } else if (socket.connected) {
        // Not welcome yet (draining, rate-limited): hang up and let the next attempt come later.
        socket.disconnect();
        reconnectLater();
      }
    }
  });
  socket.on("disconnect", (reason) => {
    const wasOnline = online;
    online = false;
    for (const fail of [...open]) fail(new FluxError("unavailable", "The connection to the coordinator ended"));
    if (wasOnline) events.offline();
    // The one reason after which Socket.IO does not try again by itself.
    if (reason === "io server disconnect") reconnectLater();
  });
  for (const name of Object.keys(COORDINATOR_NOTICES) as CoordinatorNoticeName[]) listen(socket, events, name);

  return {
    get online() {
      return online;
    },
    request(name, request, options) {
      return online && !closed
        ? emit(name, request, options)
        : Promise.reject(new FluxError("unavailable", "There is no connection to the coordinator now"));
    },
    close() {
      closed = true;
      socket.removeAllListeners("connect");
      socket.disconnect();
    },
  };
}

function listen<Name extends CoordinatorNoticeName>(socket: Socket, events: LinkEvents, name: Name): void {
  const schema: z.ZodType = COORDINATOR_NOTICES[name];
  socket.on(name as string, (notice: unknown) => {
    const parsed = schema.safeParse(notice);
    if (parsed.success) events.notice[name](parsed.data as CoordinatorNotice<Name>);
  });
}

function parseAnswer<Name extends DonorRequestName>(name: Name, answer: unknown): DonorAnswer<Name> {
  const envelope = z.union([AnswerError, z.object({ ok: z.literal(true), value: z.unknown() })]).parse(answer);
  if (!envelope.ok) throw new FluxError(envelope.code, envelope.detail);
  const schema: z.ZodType = DONOR_REQUESTS[name].answer;
  // The schema and the type are entries of one table under one name, which the compiler cannot follow.
  return schema.parse(envelope.value) as DonorAnswer<Name>;
}

/** Browsers give ArrayBuffer, Node gives Buffer; an absent one is empty. */
function toBytes(buffer: unknown): Uint8Array<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  if (ArrayBuffer.isView(buffer) && buffer.buffer instanceof ArrayBuffer) {
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }
  return new Uint8Array(0);
}
