/**
 * Serves a table of routes under /api/v1: finds the route, the caller and the body, calls the handler, and sends what it
 * answers or, as problem+json, what it throws. Runs on the custom server itself: a large upload or download never passes
 * through the page renderer.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { FluxError } from "#lib/protocol/errors.ts";
import { UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import type { Store } from "#lib/storage/store.ts";
import { type Identity, requireScope } from "../identity.ts";
import type { Log } from "../log.ts";
import type { Admission } from "./admission.ts";
import { isCsv } from "./feedback-csv.ts";
import { readJsonBody } from "./json-body.ts";
import { problemOf, sendProblem } from "./problem.ts";
import { isStream, type JsonAnswer, type Route, type StreamAnswer } from "./route.ts";

export const API_PREFIX = "/api/v1";

export interface RestOptions {
  readonly routes: readonly Route[];
  readonly store: Store;
  readonly admission: Admission;
  readonly log: Log;
  readonly now: () => number;
}

export interface Rest {
  /** Answers a request whose path is under /api. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

interface Match {
  readonly route: Route;
  readonly params: Record<string, string>;
}

export function createRest({ routes, store, admission, log, now }: RestOptions): Rest {
  const compiled = routes.map((route) => ({ route, pattern: compilePath(route.path) }));

  function find(method: string, path: string): Match {
    const fitting = compiled.flatMap(({ route, pattern }) => {
      const params = pattern(path);
      return params ? [{ route, params }] : [];
    });
    const match = fitting.find(({ route }) => route.method === method);
    if (match) return match;
    if (fitting.length === 0)
      throw new FluxError("not_found", `There is no ${path} here. See /docs for what there is.`);
    const allowed = [...new Set(fitting.map(({ route }) => route.method))].join(", ");
    throw new MethodNotAllowed(allowed);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    response.setHeader("Cache-Control", "no-store");
    let done = () => {};
    try {
      const url = new URL(request.url ?? "/", "http://localhost");
      if (!url.pathname.startsWith(`${API_PREFIX}/`)) {
        throw new FluxError("not_found", `The API is at ${API_PREFIX}. See /docs.`);
      }
      const { route, params } = find(request.method ?? "GET", url.pathname.slice(API_PREFIX.length));
      let caller: Identity | null = null;
      if (route.scope === null) await admission.admitStranger(request, response);
      else {
        ({ caller, done } = await admission.admit(request, response, limitOf(route)));
        requireScope(caller, route.scope);
      }
      const isJson = route.bodyKind === "json" || (route.bodyKind === "json-or-csv" && !isCsv(request));
      const body = isJson ? await readJsonBody(request) : undefined;
      const asked = {
        params,
        query: Object.fromEntries(url.searchParams),
        body: body?.value,
        request,
        signal: gone.signal,
      };
      const run = () => route.handle(asked, caller);
      const result =
        route.idempotent && caller ? await onlyOnce(request, caller, route, body?.text ?? "", run) : await run();
      if (isStream(result)) await sendStream(response, result, gone.signal);
      else sendJson(response, result.status ?? route.status ?? 200, result);
    } catch (error) {
      if (gone.signal.aborted && !response.headersSent) return;
      fail(request, response, error);
    } finally {
      done();
    }
  }

  /**
   * The Idempotency-Key of draft-ietf-httpapi-idempotency-key-header: the same key and body get the first answer again;
   * the same key with another body is refused. Failures that changed nothing free the key.
   */
  async function onlyOnce(
    request: IncomingMessage,
    caller: Identity,
    route: Route,
    bodyText: string,
    run: () => Promise<JsonAnswer<unknown> | StreamAnswer>,
  ): Promise<JsonAnswer<unknown> | StreamAnswer> {
    const key = request.headers["idempotency-key"];
    if (key === undefined) return run();
    if (typeof key !== "string" || key.length === 0 || key.length > UPLOAD_LIMITS.idempotencyKeyChars) {
      throw new FluxError(
        "invalid_request",
        `Idempotency-Key has 1 to ${UPLOAD_LIMITS.idempotencyKeyChars} characters.`,
      );
    }
    const requestHash = createHash("sha256").update(`${route.operation}\n${bodyText}`).digest("hex");
    const { tenantId } = caller;
    const held = await store.idempotency.claim({
      tenantId,
      key,
      requestHash,
      status: null,
      response: null,
      createdAtMs: now(),
    });
    if (held !== "claimed") {
      if (held.requestHash !== requestHash) {
        throw new FluxError("idempotency_mismatch", "Use a new Idempotency-Key for a request with another body.");
      }
      if (held.status === null) {
        throw new FluxError("conflict", "The first request with this Idempotency-Key is still being answered.");
      }
      return { value: held.response, status: held.status, headers: { "Idempotency-Replayed": "true" } };
    }
    try {
      const result = await run();
      if (isStream(result)) await store.idempotency.release(tenantId, key);
      else await store.idempotency.complete(tenantId, key, result.status ?? route.status ?? 200, result.value);
      return result;
    } catch (error) {
      await store.idempotency.release(tenantId, key);
      throw error;
    }
  }

  function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const problem = problemOf(error);
    if (problem.status >= 500) log.error({ err: error, method: request.method, url: request.url }, "request failed");
    // After the first byte of a stream only a cut connection can say that it is not whole.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error instanceof MethodNotAllowed) response.setHeader("Allow", error.allowed);
    sendProblem(request, response, problem);
  }

  return { answer };
}

function limitOf(route: Route): "read" | "write" | "heavy" {
  if (route.method === "GET") return "read";
  return route.heavy ? "heavy" : "write";
}

class MethodNotAllowed extends FluxError {
  readonly allowed: string;
  constructor(allowed: string) {
    super("method_not_allowed", `Use ${allowed} here.`);
    this.allowed = allowed;
  }
}

function sendJson(response: ServerResponse, status: number, answer: JsonAnswer<unknown>): void {
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    response.setHeader(name, typeof value === "string" ? value : [...value]);
  }
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.end(JSON.stringify(answer.value));
}

async function sendStream(response: ServerResponse, answer: StreamAnswer, gone: AbortSignal): Promise<void> {
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  response.statusCode = answer.status ?? 200;
  response.flushHeaders();
  for await (const chunk of answer.stream) {
    if (gone.aborted) return;
    if (!response.write(chunk)) await once(response, "drain", { signal: gone }).catch(() => undefined);
  }
  response.end();
}

/** "/jobs/{job}" → a function that answers the names' values, or undefined where the path is another. */
function compilePath(path: string): (path: string) => Record<string, string> | undefined {
  const names: string[] = [];
  const source = path.replace(/\{(\w+)\}/g, (_whole, name: string) => {
    names.push(name);
    return "([^/]+)";
  });
  const expression = new RegExp(`^${source}/?$`);
  return (candidate) => {
    const found = expression.exec(candidate);
    return found ? Object.fromEntries(names.map((name, index) => [name, found[index + 1] ?? ""])) : undefined;
  };
}
