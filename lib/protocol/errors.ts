/**
 * Every error that leaves Flux, as one closed table: over REST (problem+json), on the donor socket, in the CLI.
 * Match by `code`, never by `instanceof` across realms or bundles. A message says what happened and what to do next.
 */

/** `status` is the HTTP status; `retryable` says whether the same request can succeed later without a change. */
export const ERROR_CODES = {
  // Requests
  invalid_request: { status: 400, retryable: false, title: "The request does not fit its schema" },
  unauthenticated: { status: 401, retryable: false, title: "No valid API key or session" },
  forbidden: { status: 403, retryable: false, title: "The key's scopes do not cover this" },
  not_found: { status: 404, retryable: false, title: "There is nothing here with that id" },
  method_not_allowed: { status: 405, retryable: false, title: "That method is not offered here" },
  conflict: { status: 409, retryable: false, title: "The thing's present state does not allow this" },
  idempotency_mismatch: { status: 409, retryable: false, title: "That Idempotency-Key was used with another body" },
  payload_too_large: { status: 413, retryable: false, title: "Larger than the limit" },
  unsupported_media_type: { status: 415, retryable: false, title: "That content type is not read here" },
  rate_limited: { status: 429, retryable: true, title: "Too many requests" },
  quota_exceeded: { status: 429, retryable: false, title: "The account's quota is used up" },
  internal: { status: 500, retryable: true, title: "Something broke on our side" },
  unavailable: { status: 503, retryable: true, title: "Not ready to serve this now" },

  // Models
  model_unreadable: { status: 422, retryable: false, title: "The model file cannot be read" },
  model_external_data: { status: 422, retryable: false, title: "The model keeps its weights in other files" },
  model_too_large: { status: 422, retryable: false, title: "The model is over a size limit" },
  model_unsupported: { status: 422, retryable: false, title: "The model uses something that is not supported" },
  model_invalid: { status: 422, retryable: false, title: "The model contradicts itself" },

  // Datasets
  dataset_unreadable: { status: 422, retryable: false, title: "The dataset file cannot be read" },
  dataset_too_large: { status: 422, retryable: false, title: "The dataset is over a size limit" },
  dataset_ragged: { status: 422, retryable: false, title: "Rows differ in their number of values" },
  dataset_value: { status: 422, retryable: false, title: "A value cannot be read as a number" },
  dataset_unsafe: { status: 422, retryable: false, title: "The file holds something that is never opened" },
  dataset_mismatch: { status: 422, retryable: false, title: "The dataset does not fit the model" },
  dataset_empty: { status: 422, retryable: false, title: "The dataset has no records" },

  // Plans (encrypted jobs)
  plan_unsupported_operator: { status: 422, retryable: false, title: "An operator cannot run on encrypted data" },
  plan_too_deep: { status: 422, retryable: false, title: "More squares than the encryption ring allows" },
  plan_range: { status: 422, retryable: false, title: "Values leave the range the plan was made for" },
  plan_fidelity: { status: 422, retryable: false, title: "The encrypted result is less faithful than wanted" },
  plan_impossible: { status: 422, retryable: false, title: "No encryption parameters fit this model" },

  // Key-holder
  key_lost: { status: 422, retryable: false, title: "The job's secret key is not here" },
  ciphertext_invalid: { status: 422, retryable: false, title: "A ciphertext block is malformed" },
  decryption_failed: { status: 500, retryable: true, title: "A batch did not decrypt to sane values" },

  // Leases and results (donor socket)
  protocol_version: { status: 426, retryable: false, title: "This page speaks another protocol version" },
  hello_required: { status: 409, retryable: false, title: "Say hello first" },
  lease_unknown: { status: 409, retryable: false, title: "No such lease" },
  lease_expired: { status: 409, retryable: false, title: "The lease has run out" },
  lease_foreign: { status: 409, retryable: false, title: "The lease belongs to another donor" },
  already_accepted: { status: 409, retryable: false, title: "Another attempt was accepted first" },
  result_malformed: { status: 422, retryable: false, title: "The result does not have the declared form" },
  audit_failed: { status: 422, retryable: false, title: "The result did not match the recomputed sample" },
  banned: { status: 403, retryable: false, title: "Too many refused results from here" },
  draining: { status: 503, retryable: true, title: "The coordinator is restarting" },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface FluxErrorOptions {
  /** The request field, column, row or graph node that the error is about. */
  param?: string;
  /** Several findings at once, e.g. one per column. */
  errors?: readonly { param: string; detail: string }[];
  cause?: unknown;
}

/** The one error class that crosses module boundaries. `detail` names the fix. */
export class FluxError extends Error {
  override readonly name = "FluxError";
  readonly code: ErrorCode;
  readonly detail: string;
  readonly param: string | undefined;
  readonly errors: readonly { param: string; detail: string }[] | undefined;

  constructor(code: ErrorCode, detail: string, options: FluxErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = detail;
    this.param = options.param;
    this.errors = options.errors;
  }
}

/** True for a FluxError of this or another bundle or realm (matched by shape, not by class identity). */
export function isFluxError(error: unknown): error is FluxError {
  return (
    error instanceof Error &&
    error.name === "FluxError" &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code in ERROR_CODES
  );
}
