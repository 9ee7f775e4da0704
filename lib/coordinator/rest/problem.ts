/** application/problem+json (RFC 9457) of anything that was thrown. What is not a FluxError is ours: logged, never shown. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Problem } from "#lib/protocol/api/common.ts";
import { ERROR_CODES, isFluxError } from "#lib/protocol/errors.ts";

export function problemOf(error: unknown): Problem {
  if (!isFluxError(error)) {
    return problem("internal", "It was logged. Try again; if it stays, tell the operator the time of this answer.");
  }
  return {
    ...problem(error.code, error.detail),
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.errors === undefined ? {} : { errors: error.errors.map((finding) => ({ ...finding })) }),
  };
}

export function sendProblem(request: IncomingMessage, response: ServerResponse, problem: Problem): void {
  if (problem.code === "unauthenticated") response.setHeader("WWW-Authenticate", 'Bearer realm="flux"');
  if (problem.code === "rate_limited" && !response.hasHeader("Retry-After")) response.setHeader("Retry-After", "5");
  response.statusCode = problem.status;
  response.setHeader("Content-Type", "application/problem+json");
  // A body that was not read to its end would be taken for the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  response.end(JSON.stringify(problem));
}

function problem(code: keyof typeof ERROR_CODES, detail: string): Problem {
  const { status, title } = ERROR_CODES[code];
  return { type: `/docs/errors#${code}`, title, status, code, detail };
}
