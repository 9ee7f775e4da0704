/**
 * The validating wrapper: every event of a stranger becomes either a parsed request for its handler or a coded answer. No
 * handler ever sees what does not fit its schema. Framework-free, so that it can be tested frame by frame.
 */
import type { z } from "zod";
import {
  type Answer,
  DONOR_REQUESTS,
  type DonorAnswer,
  type DonorRequest,
  type DonorRequestName,
} from "#lib/protocol/donor.ts";
import { ERROR_CODES, FluxError, isFluxError } from "#lib/protocol/errors.ts";

export interface Reply<Value> {
  readonly value: Value;
  readonly buffer?: Uint8Array;
}

export type DonorHandlers = {
  readonly [Name in DonorRequestName]: (
    request: DonorRequest<Name>,
    buffer: Uint8Array,
  ) => Promise<Reply<DonorAnswer<Name>>>;
};

/** An answer as it goes out. The buffer is null where there is none: an empty one would cost a frame of its own. */
export interface Outgoing {
  readonly answer: Answer<unknown>;
  readonly buffer: Uint8Array | null;
}

export type Acknowledge = (answer: Answer<unknown>, buffer: Uint8Array | null) => void;

/** What a frame turned out to be. */
export type Incoming =
  | {
      readonly kind: "request";
      readonly name: DonorRequestName;
      readonly run: () => Promise<Outgoing>;
      readonly acknowledge: Acknowledge;
    }
  | {
      readonly kind: "offence";
      readonly what: string;
      readonly outgoing: Outgoing;
      readonly acknowledge: Acknowledge | undefined;
    };

type Parsed =
  | { readonly fits: true; readonly run: (buffer: Uint8Array) => Promise<Reply<unknown>> }
  | { readonly fits: false; readonly detail: string };

interface Route {
  readonly bufferUp: boolean;
  readonly parse: (raw: unknown) => Parsed;
}

const EMPTY = new Uint8Array(0);

/**
 * @param onInternal told of errors that are not the donor's
 * @returns the function that takes an event's name and arguments as they came from the wire
 */
export function donorRequests(
  handlers: DonorHandlers,
  onInternal: (error: unknown) => void,
): (name: string, args: readonly unknown[]) => Incoming {
  const routes: Readonly<Record<DonorRequestName, Route>> = {
    "donor:hello": route(DONOR_REQUESTS["donor:hello"], handlers["donor:hello"]),
    "donor:capability": route(DONOR_REQUESTS["donor:capability"], handlers["donor:capability"]),
    "donor:signals": route(DONOR_REQUESTS["donor:signals"], handlers["donor:signals"]),
    "lease:request": route(DONOR_REQUESTS["lease:request"], handlers["lease:request"]),
    "lease:return": route(DONOR_REQUESTS["lease:return"], handlers["lease:return"]),
    "payload:get": route(DONOR_REQUESTS["payload:get"], handlers["payload:get"]),
    "result:submit": route(DONOR_REQUESTS["result:submit"], handlers["result:submit"]),
  };

  async function answer(run: () => Promise<Reply<unknown>>): Promise<Outgoing> {
    try {
      const { value, buffer } = await run();
      return { answer: { ok: true, value }, buffer: buffer && buffer.byteLength > 0 ? buffer : null };
    } catch (error) {
      if (isFluxError(error)) return failure(error);
      onInternal(error);
      return failure(new FluxError("internal", "Something broke on our side: try again."));
    }
  }

  return (name, args) => {
    const acknowledge = acknowledgementOf(args);
    const refuse = (what: string, detail: string): Incoming => ({
      kind: "offence",
      what,
      outgoing: failure(new FluxError("invalid_request", detail)),
      acknowledge,
    });
    if (!isRequestName(name)) {
      return refuse("unknown event", "There is no such event: see lib/protocol/README.md for the list.");
    }
    const { bufferUp, parse } = routes[name];
    if (!acknowledge) return refuse("no acknowledgement", "Every event is sent with an acknowledgement.");
    const buffer = args.length === 3 ? bytesOf(args[1]) : undefined;
    if (!buffer) return refuse("wrong arguments", "The arguments are: request, buffer (or null), acknowledgement.");
    if (!bufferUp && buffer.byteLength > 0) return refuse("unwanted buffer", `${name} takes no buffer: send null.`);
    const parsed = parse(args[0]);
    if (!parsed.fits) return refuse("malformed request", parsed.detail);
    return { kind: "request", name, run: () => answer(() => parsed.run(buffer)), acknowledge };
  };
}

function route<Request extends z.ZodType, Value extends z.ZodType>(
  spec: { readonly request: Request; readonly answer: Value; readonly bufferUp: boolean },
  handler: (request: z.output<Request>, buffer: Uint8Array) => Promise<Reply<z.output<Value>>>,
): Route {
  return {
    bufferUp: spec.bufferUp,
    parse(raw) {
      const parsed = spec.request.safeParse(raw);
      if (parsed.success) return { fits: true, run: (buffer) => handler(parsed.data, buffer) };
      const [issue] = parsed.error.issues;
      const where = issue?.path.map(String).join(".") || "the request";
      return { fits: false, detail: `${where.slice(0, 100)}: ${issue?.message.slice(0, 200)}` };
    },
  };
}

export function failure({ code, detail }: FluxError): Outgoing {
  return { answer: { ok: false, code, detail, retryable: ERROR_CODES[code].retryable }, buffer: null };
}

function isRequestName(name: string): name is DonorRequestName {
  return Object.hasOwn(DONOR_REQUESTS, name);
}

function acknowledgementOf(args: readonly unknown[]): Acknowledge | undefined {
  const last = args.at(-1);
  return typeof last === "function" ? (answer, buffer) => last(answer, buffer) : undefined;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value === null || value === undefined) return EMPTY;
  if (value instanceof Uint8Array) return value;
  return undefined;
}
