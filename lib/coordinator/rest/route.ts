/**
 * What a REST route is: one value that the router serves, that the OpenAPI document is generated from, and that tests
 * walk. Queries, bodies and answers are the zod schemas of lib/protocol/api; answers are parsed too, so that the
 * document never lies.
 */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import type { Scope } from "#lib/protocol/api/access.ts";
import { type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import type { Identity } from "../identity.ts";

/** A body that is not one JSON value: a download or a stream of events. */
export interface StreamAnswer {
  readonly stream: AsyncIterable<Uint8Array | string>;
  /** 200 where left out. */
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** JSON, with a status and headers of its own where they differ from the route's. */
export interface JsonAnswer<Value> {
  readonly value: Value;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export interface Connection {
  readonly request: IncomingMessage;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface Asked<Params, Query, Body> extends Connection {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

/** `multipart` and `bytes` are read by the handler, as a stream. */
export type BodyKind = "none" | "json" | "json-or-csv" | "multipart" | "bytes";
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface RouteText {
  readonly method: Method;
  /** Below /api/v1, with {names}. */
  readonly path: `/${string}`;
  /** OpenAPI's operationId. */
  readonly operation: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Codes beyond those that every route can answer; for the document. */
  readonly errors?: readonly ErrorCode[];
  readonly bodyKind?: BodyKind;
  /** The fields of a multipart body, for the document; the handler reads them. */
  readonly form?: z.ZodObject;
  /** Starts a thread or a plan: counted by the rate limit for such. */
  readonly heavy?: boolean;
  /** Honours Idempotency-Key. */
  readonly idempotent?: boolean;
  /** 200 where left out. */
  readonly status?: number;
}

export interface Media {
  readonly media: readonly string[];
  readonly description: string;
}

interface Schemas<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly answer: Answer | Media;
}

/** A route as the router sees it: everything unknown, parsed inside. */
export interface Route extends RouteText {
  /** The scope that a key needs; null: open to everyone. */
  readonly scope: Scope | null;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | null;
  readonly answer: z.ZodType | Media;
  readonly handle: (
    asked: Asked<unknown, unknown, unknown>,
    caller: Identity | null,
  ) => Promise<JsonAnswer<unknown> | StreamAnswer>;
}

type Handler<Params, Query, Body, Answer extends z.ZodType, Caller> = (
  asked: Asked<Params, Query, Body>,
  caller: Caller,
) => Promise<JsonAnswer<z.input<Answer>> | StreamAnswer>;

const NOTHING = z.object({});

/** A route for callers with an API key (or a signed-in session) that has `scope`. */
export function route<
  Params extends z.ZodObject = typeof NOTHING,
  Query extends z.ZodObject = typeof NOTHING,
  Body extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType = z.ZodNever,
>(
  spec: RouteText &
    Schemas<Params, Query, Body, Answer> & {
      readonly scope: Scope;
      readonly handle: Handler<z.output<Params>, z.output<Query>, z.output<Body>, Answer, Identity>;
    },
): Route {
  const handle = parsing(spec, spec.handle);
  return {
    ...untyped(spec),
    scope: spec.scope,
    handle: async (asked, caller) => {
      if (!caller) throw new FluxError("unauthenticated", "Send an API key: Authorization: Bearer flux_sk_…");
      return handle(asked, caller);
    },
  };
}

/** A route that is open to everyone; the caller is null where there is no key. */
export function openRoute<
  Params extends z.ZodObject = typeof NOTHING,
  Query extends z.ZodObject = typeof NOTHING,
  Body extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType = z.ZodNever,
>(
  spec: RouteText &
    Schemas<Params, Query, Body, Answer> & {
      readonly handle: Handler<z.output<Params>, z.output<Query>, z.output<Body>, Answer, Identity | null>;
    },
): Route {
  return { ...untyped(spec), scope: null, handle: parsing(spec, spec.handle) };
}

export function isMedia(answer: z.ZodType | Media): answer is Media {
  return "media" in answer;
}

export function isStream(answer: JsonAnswer<unknown> | StreamAnswer): answer is StreamAnswer {
  return "stream" in answer;
}

function untyped(spec: RouteText & Schemas<z.ZodObject, z.ZodObject, z.ZodType, z.ZodType>) {
  return { ...spec, params: spec.params ?? NOTHING, query: spec.query ?? NOTHING, body: spec.body ?? null };
}

function parsing<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType,
  Caller,
>(
  spec: Schemas<Params, Query, Body, Answer>,
  handle: Handler<z.output<Params>, z.output<Query>, z.output<Body>, Answer, Caller>,
) {
  const schemas = {
    params: spec.params ?? NOTHING,
    query: spec.query ?? NOTHING,
    body: spec.body ?? z.undefined(),
  };
  return async (asked: Asked<unknown, unknown, unknown>, caller: Caller) => {
    const answer = await handle(
      {
        ...asked,
        // An id that cannot exist is not there: 404, like every other id that is not the caller's.
        params: parsed(schemas.params, asked.params, "not_found") as z.output<Params>,
        query: parsed(schemas.query, asked.query, "invalid_request") as z.output<Query>,
        body: parsed(schemas.body, asked.body, "invalid_request") as z.output<Body>,
      },
      caller,
    );
    if (isStream(answer) || isMedia(spec.answer)) return answer;
    return { ...answer, value: spec.answer.parse(answer.value) };
  };
}

function parsed(schema: z.ZodType, value: unknown, code: "invalid_request" | "not_found"): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  if (code === "not_found") throw new FluxError("not_found", "There is nothing with that id for this API key.");
  throw invalidRequest(result.error);
}

/** One finding per field; the first one is the message. */
export function invalidRequest(error: z.ZodError): FluxError {
  const errors = error.issues.slice(0, 20).map((issue) => ({ param: issue.path.join("."), detail: issue.message }));
  const first = errors[0] ?? { param: "", detail: "The request does not fit its schema" };
  const detail = first.param ? `${first.param}: ${first.detail}` : first.detail;
  return new FluxError("invalid_request", detail, first.param ? { param: first.param, errors } : { errors });
}
