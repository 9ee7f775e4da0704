/**
 * /api/auth: signing up, in and out, and passwords. A closed list of better-auth's endpoints, each with the body that we send;
 * requests come from our own pages, are counted, and what the library refuses is answered as problem+json like everywhere.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { addressOf } from "../rest/address.ts";
import { readJsonBody } from "../rest/json-body.ts";
import { problemOf, sendProblem } from "../rest/problem.ts";
import { countedAddress, type RateLimits } from "../rest/rate-limits.ts";
import { invalidRequest } from "../rest/route.ts";
import { requireOwnPage } from "../rest/session.ts";
import { type Accounts, ADDRESS_HEADER, AUTH_PREFIX } from "./auth.ts";
import { passwordProblem } from "./password.ts";

export interface AuthHandlerOptions {
  readonly accounts: Accounts;
  readonly limits: RateLimits;
  readonly publicUrl: string | null;
  readonly trustProxy: boolean;
  readonly onError: (error: unknown) => void;
}

export type AuthHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const email = z.email().max(320);
const password = z.string().min(1).max(ACCOUNT_LIMITS.passwordCharsMax);
const name = z.string().trim().min(1).max(120);
/** Where a provider sends the browser back to: one of our own pages. */
const ownPath = z
  .string()
  .max(500)
  .regex(/^\/(?![/\\])/, "a path of this server is wanted here");

/** `counted`: hashing and guessing are bounded by address, guessing also by e-mail address. */
const POSTS: Readonly<Record<string, { readonly body: z.ZodObject; readonly counted: boolean }>> = {
  "/sign-up/email": { body: z.object({ name, email, password }), counted: true },
  "/sign-in/email": { body: z.object({ email, password }), counted: true },
  "/sign-in/social": {
    body: z.object({ provider: z.string().max(40), callbackURL: ownPath, errorCallbackURL: ownPath.optional() }),
    counted: true,
  },
  "/sign-out": { body: z.object({}), counted: false },
  "/change-password": {
    body: z.object({ currentPassword: password, newPassword: password, revokeOtherSessions: z.boolean().optional() }),
    counted: true,
  },
  "/request-password-reset": { body: z.object({ email }), counted: true },
  "/reset-password": { body: z.object({ newPassword: password, token: z.string().max(200) }), counted: true },
  "/update-user": { body: z.object({ name }), counted: false },
};
/** Where links in mails and providers lead. */
const GETS = [/^\/verify-email$/, /^\/callback\/[a-z-]{1,40}$/, /^\/error$/];

/** For tests that walk everything that is served. */
export const AUTH_POSTS: readonly string[] = Object.keys(POSTS);

const Refusal = z.object({ code: z.string().optional(), message: z.string().optional() });

/** Where our words say more than the library's; the rest keeps its own. */
const WORDS: Readonly<Record<string, { readonly code: ErrorCode; readonly detail: string }>> = {
  INVALID_EMAIL_OR_PASSWORD: {
    code: "unauthenticated",
    detail: "That e-mail address and password do not belong together.",
  },
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: {
    code: "conflict",
    detail: "There is an account with this e-mail address already: sign in, or ask for a new password.",
  },
  INVALID_PASSWORD: { code: "invalid_request", detail: "The password is not right." },
  INVALID_TOKEN: { code: "invalid_request", detail: "This link was used or is too old: ask for a new one." },
  RESET_PASSWORD_DISABLED: {
    code: "unavailable",
    detail: "This server sends no mail: ask its operator, who can give you a link to set a new password.",
  },
};

export function createAuthHandler({
  accounts,
  limits,
  publicUrl,
  trustProxy,
  onError,
}: AuthHandlerOptions): AuthHandler {
  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", publicUrl ?? `http://${request.headers.host ?? "localhost"}`);
    const path = url.pathname.slice(AUTH_PREFIX.length);
    const address = addressOf(request, trustProxy);
    const body = await bodyOf(request, response, path, address);
    const answer = await accounts.handle(
      new Request(url, {
        method: request.method ?? "GET",
        headers: headersFor(request, address),
        ...(body === null ? {} : { body: JSON.stringify(body) }),
      }),
    );
    await passOn(path, answer, response);
  }

  /** The checked body of a POST; null of a GET. */
  async function bodyOf(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    address: string,
  ): Promise<Record<string, unknown> | null> {
    const post = Object.hasOwn(POSTS, path) ? POSTS[path] : undefined;
    const get = GETS.some((pattern) => pattern.test(path));
    if (!post && !get) throw new FluxError("not_found", "There is nothing here. See /docs for what there is.");
    if (request.method !== (post ? "POST" : "GET")) {
      response.setHeader("Allow", post ? "POST" : "GET");
      throw new FluxError("method_not_allowed", `Use ${post ? "POST" : "GET"} here.`);
    }
    await limits.consume(post?.counted ? "signIn" : "open", countedAddress(address), response);
    if (!post) return null;
    requireOwnPage(request);
    const parsed = post.body.safeParse((await readJsonBody(request)).value);
    if (!parsed.success) throw invalidRequest(parsed.error);
    const { email: given } = parsed.data;
    if (post.counted && typeof given === "string") {
      await limits.consume("signInPerEmail", `${path} ${given.toLowerCase()}`, response);
    }
    checkNewPassword(path, parsed.data);
    return parsed.data;
  }

  return async (request, response) => {
    response.setHeader("Cache-Control", "no-store");
    try {
      await forward(request, response);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === "internal") onError(error);
      sendProblem(request, response, problem);
    }
  };
}

/** @throws FluxError invalid_request where the password would be among the first that are tried */
function checkNewPassword(path: string, body: Record<string, unknown>): void {
  const signsUp = path === "/sign-up/email";
  const chosen = signsUp ? body.password : body.newPassword;
  if (typeof chosen !== "string") return;
  const problem = passwordProblem(chosen, typeof body.email === "string" ? body.email : "");
  if (problem) throw new FluxError("invalid_request", problem, { param: signsUp ? "password" : "newPassword" });
}

function headersFor(request: IncomingMessage, address: string): Headers {
  const headers = new Headers();
  for (const [key, value] of Object.entries(request.headers)) {
    // The body is written anew; hop-by-hop headers stay here.
    if (/^(content-length|transfer-encoding|connection|expect)$/.test(key) || value === undefined) continue;
    headers.set(key, Array.isArray(value) ? value.join(", ") : value);
  }
  headers.set(ADDRESS_HEADER, address);
  return headers;
}

async function passOn(path: string, answer: Response, response: ServerResponse): Promise<void> {
  const text = await answer.text();
  if (answer.status >= 400) throw refused(answer.status, text);
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("Set-Cookie", cookies);
  const location = answer.headers.get("location");
  // The library names a provider's address there too, with status 200: that one the page takes from the body.
  if (location && answer.status >= 300) {
    response.writeHead(answer.status, { Location: location }).end();
    return;
  }
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  // Only a provider's address is for the page; a session's token belongs in its cookie and nowhere else.
  const social = path === "/sign-in/social" ? z.object({ url: z.string() }).safeParse(JSON.parse(text)) : undefined;
  response.end(JSON.stringify(social?.success ? { url: social.data.url } : { done: true }));
}

function refused(status: number, text: string): FluxError {
  const parsed = Refusal.safeParse(parseJson(text));
  const { code = "", message = "It was refused: look at what was sent." } = parsed.success ? parsed.data : {};
  const words = WORDS[code];
  if (words) return new FluxError(words.code, words.detail);
  return new FluxError(codeOf(status), message);
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return "unauthenticated";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 429) return "rate_limited";
  return status >= 500 ? "internal" : "invalid_request";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
