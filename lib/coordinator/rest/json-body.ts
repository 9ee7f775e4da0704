/** Reads a JSON body within limits: bytes, depth, and no keys that reach a prototype. */
import type { IncomingMessage } from "node:http";
import { FluxError } from "#lib/protocol/errors.ts";
import { UPLOAD_LIMITS } from "#lib/protocol/limits.ts";

export interface JsonBody {
  readonly value: unknown;
  /** As sent, for the Idempotency-Key's fingerprint. */
  readonly text: string;
}

/** @throws FluxError unsupported_media_type, payload_too_large, invalid_request */
export async function readJsonBody(request: IncomingMessage): Promise<JsonBody> {
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json" && !type.endsWith("+json")) {
    throw new FluxError("unsupported_media_type", "Send the body as JSON with Content-Type: application/json.");
  }
  const text = await readText(request, UPLOAD_LIMITS.jsonBodyBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FluxError("invalid_request", `The body is not valid JSON: ${why}.`);
  }
  checkShape(value, 0);
  return { value, text };
}

async function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new FluxError("payload_too_large", `A JSON body may have up to ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new FluxError("invalid_request", "The body is not valid UTF-8.");
  }
}

function checkShape(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth >= UPLOAD_LIMITS.jsonDepth) {
    throw new FluxError("invalid_request", `The body is nested deeper than ${UPLOAD_LIMITS.jsonDepth} levels.`);
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__") throw new FluxError("invalid_request", 'The key "__proto__" is not accepted.');
  }
  for (const inner of Object.values(value)) checkShape(inner, depth + 1);
}
