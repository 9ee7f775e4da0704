/** OpenAPI 3.1 from the table of routes: never written by hand, so it cannot disagree with what is served. */
import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import { Problem } from "#lib/protocol/api/common.ts";
import { ERROR_CODES, type ErrorCode } from "#lib/protocol/errors.ts";
import { UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import { isMedia, type Route } from "./route.ts";
import { API_PREFIX } from "./router.ts";

const IdempotencyKey = z.object({
  "Idempotency-Key": z
    .string()
    .max(UPLOAD_LIMITS.idempotencyKeyChars)
    .optional()
    .meta({ description: "Send the same key again and the first answer comes again, instead of a second job." }),
});

export function openApiDocument(routes: readonly Route[]): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    const path = `${API_PREFIX}${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "Flux",
      version: "1",
      description:
        "Machine learning on lent browsers, on data that they cannot read. Errors are application/problem+json; `detail` names the fix.",
    },
    security: [{ apiKey: [] }],
    components: { securitySchemes: { apiKey: { type: "http", scheme: "bearer", bearerFormat: "flux_sk_…" } } },
    paths,
  });
}

function operation(route: Route): ZodOpenApiOperationObject {
  const status = String(route.status ?? 200);
  const body = requestBody(route);
  return {
    operationId: route.operation,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    ...(route.scope === null ? { security: [] } : {}),
    requestParams: {
      path: route.params,
      query: route.query,
      ...(route.idempotent ? { header: IdempotencyKey } : {}),
    },
    ...(body ? { requestBody: body } : {}),
    responses: { [status]: success(route), ...problems(route) },
  };
}

function requestBody(route: Route): ZodOpenApiOperationObject["requestBody"] {
  if (route.form) return { required: true, content: { "multipart/form-data": { schema: route.form } } };
  if (route.body) return { required: true, content: { "application/json": { schema: route.body } } };
  if (route.bodyKind === "bytes") {
    return { required: true, content: { "application/octet-stream": { schema: z.string() } } };
  }
  return undefined;
}

function success(route: Route) {
  const { answer } = route;
  if (!isMedia(answer)) return { description: route.summary, content: { "application/json": { schema: answer } } };
  const content = Object.fromEntries(answer.media.map((media) => [media, { schema: z.string() }]));
  return { description: answer.description, content };
}

/** One response a status, listing the codes that it can carry. */
function problems(route: Route) {
  const codes: ErrorCode[] = ["rate_limited", ...(route.errors ?? [])];
  if (route.scope !== null) codes.push("unauthenticated", "forbidden");
  if (Object.keys(route.params.shape).length > 0) codes.push("not_found");
  if (route.body || route.form) codes.push("invalid_request", "payload_too_large", "unsupported_media_type");
  else if (Object.keys(route.query.shape).length > 0) codes.push("invalid_request");
  if (route.idempotent) codes.push("idempotency_mismatch", "conflict");
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of codes) {
    const { status } = ERROR_CODES[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: [...group].map((code) => `\`${code}\`: ${ERROR_CODES[code].title}`).join("; "),
        content: { "application/problem+json": { schema: Problem } },
      },
    ]),
  );
}
