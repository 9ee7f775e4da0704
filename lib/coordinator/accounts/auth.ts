/**
 * People and their sessions: better-auth with e-mail and password, and the providers that the operator configured. This is
 * the only file that knows the library; the rest of the coordinator sees `Accounts`.
 *
 * A person gets an account (a tenant) of their own when they sign up; who signs up by the admin link becomes the admin of this
 * server in its first account. Sessions last 30 days and are looked up at every request, so an ended one is over at once.
 */
import { randomUUID } from "node:crypto";
import { APIError } from "better-auth/api";
import { betterAuth } from "better-auth/minimal";
import { z } from "zod";
import { Role } from "#lib/protocol/api/access.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { SessionId, TenantId, UserId } from "#lib/protocol/ids.ts";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Audit } from "../audit.ts";
import type { Config } from "../config.ts";
import { type PersonIdentity, requireActive, scopesOfRole } from "../identity.ts";
import type { Log } from "../log.ts";
import type { OpenConnections } from "../rest/open-connections.ts";
import { ADMIN_TOKEN_HEADER, takeAdminToken } from "./admin-link.ts";
import type { SendMail } from "./mail.ts";

export const AUTH_PREFIX = "/api/auth";
/** Our own header for the library, set by the handler: what a client sends under this name is dropped. */
export const ADDRESS_HEADER = "flux-client-address";

/** Who is signed in by these cookies. @throws FluxError forbidden where the account is suspended */
export type SignedIn = (cookies: string) => Promise<PersonIdentity | undefined>;

export interface Accounts {
  readonly handle: (request: Request) => Promise<Response>;
  readonly signedIn: SignedIn;
  /** @throws FluxError invalid_request where the password is wrong, or none was given and the session is not fresh */
  readonly confirm: (person: PersonIdentity, password: string | undefined) => Promise<void>;
  readonly removePerson: (userId: UserId) => Promise<void>;
  /** A one-time token with which the person may set a new password, for operators without mail. */
  readonly resetToken: (userId: UserId) => Promise<string>;
}

export interface AccountsOptions {
  readonly store: Store;
  readonly config: Pick<Config, "publicUrl" | "signUp" | "oauth">;
  readonly secret: string;
  /** Null: no mail is sent. */
  readonly sendMail: SendMail | null;
  readonly connections: OpenConnections;
  readonly audit: Audit;
  readonly log: Log;
  readonly now: () => number;
}

const FRESH_MS = 24 * 3600 * 1000;
const RESET_MS = 24 * 3600 * 1000;

const Signed = z.object({
  session: z.object({ id: SessionId }),
  user: z.object({ id: UserId, tenantId: TenantId, role: Role }),
});
/** What better-auth gives its hooks; the fields of ours are there because we put them there. */
const HookUser = z.looseObject({ id: UserId, tenantId: TenantId, role: Role });
const HookSession = z.looseObject({ id: SessionId, userId: UserId });

export function createAccounts(options: AccountsOptions): Accounts {
  const { store, config, secret, sendMail, connections, audit, log, now } = options;
  const secure = config.publicUrl?.startsWith("https:") ?? false;

  /** The account of somebody who signs up. */
  async function placeFor(name: string, adminToken: string | null): Promise<{ tenantId: TenantId; role: Role }> {
    if (adminToken !== null) {
      const tenantId = await takeAdminToken(store, adminToken);
      if (!tenantId) {
        throw refusal("FORBIDDEN", "This admin link was used, or a newer one was printed when the server started.");
      }
      return { tenantId, role: "admin" };
    }
    if (config.signUp === "closed") {
      throw refusal("FORBIDDEN", "This server takes no new accounts: ask its operator for an API key.");
    }
    const tenantId = freshId("ten");
    await store.tenants.insert({ id: tenantId, name: name.slice(0, 120) || "Account", createdAtMs: now() });
    return { tenantId, role: "member" };
  }

  const auth = betterAuth({
    appName: "Flux",
    basePath: AUTH_PREFIX,
    ...(config.publicUrl === null ? {} : { baseURL: config.publicUrl }),
    secret,
    database: store.people.authDatabase,
    telemetry: { enabled: false },
    // Counted by rest/rate-limits.ts, like everything else.
    rateLimit: { enabled: false },
    trustedOrigins: (request) => (request ? [new URL(request.url).origin] : []),
    emailAndPassword: {
      enabled: true,
      minPasswordLength: ACCOUNT_LIMITS.passwordCharsMin,
      maxPasswordLength: ACCOUNT_LIMITS.passwordCharsMax,
      revokeSessionsOnPasswordReset: true,
      ...(sendMail
        ? {
            sendResetPassword: ({ user, token }) =>
              sendMail({
                to: user.email,
                subject: "A new password for Flux",
                text: `Set a new password here within an hour:\n${config.publicUrl}/reset-password?token=${token}\n\nIf you did not ask for this, nothing needs to be done.`,
              }),
          }
        : {}),
    },
    ...(sendMail
      ? {
          emailVerification: {
            sendOnSignUp: true,
            sendVerificationEmail: ({ user, url }) =>
              sendMail({ to: user.email, subject: "Is this your address?", text: `Confirm it here:\n${url}` }),
          },
        }
      : {}),
    socialProviders: config.oauth,
    account: { encryptOAuthTokens: true, accountLinking: { enabled: true, requireLocalEmailVerified: true } },
    user: {
      additionalFields: {
        // Not "required": the library asks for such fields before the hook below sets them. The columns are not null.
        tenantId: { type: "string", required: false, input: false },
        role: { type: "string", required: false, input: false },
      },
    },
    session: { expiresIn: ACCOUNT_LIMITS.sessionSeconds, disableSessionRefresh: true },
    advanced: {
      cookiePrefix: "flux",
      useSecureCookies: secure,
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER] },
      database: {
        generateId: ({ model }) =>
          model === "user" ? freshId("usr") : model === "session" ? freshId("ses") : randomUUID(),
      },
    },
    logger: {
      level: "error",
      log: (level, message, ...details) => {
        if (level === "error") log.warn({ details }, `accounts: ${message}`);
      },
    },
    databaseHooks: {
      user: {
        create: {
          before: async (user, context) => ({
            data: { ...user, ...(await placeFor(user.name, context?.headers?.get(ADMIN_TOKEN_HEADER) ?? null)) },
          }),
          after: async (user) => {
            const { id, tenantId, role } = HookUser.parse(user);
            audit.add({ action: "person.signed_up", actor: id, tenantId, detail: { role } });
          },
        },
      },
      session: {
        create: {
          before: async (session) => {
            const user = await store.people.get(UserId.parse(session.userId));
            if (user) await asRefusal(requireActive(store, user.tenantId));
          },
          after: async (session) => {
            const { id, userId } = HookSession.parse(session);
            const user = await store.people.get(userId);
            audit.add({
              action: "session.started",
              actor: userId,
              tenantId: user?.tenantId ?? null,
              target: id,
              address: session.ipAddress ?? null,
            });
          },
        },
        delete: {
          after: async (session) => {
            const { id, userId } = HookSession.parse(session);
            connections.end(id);
            const user = await store.people.get(userId);
            audit.add({ action: "session.ended", actor: userId, tenantId: user?.tenantId ?? null, target: id });
          },
        },
      },
    },
  });

  return {
    handle: auth.handler,
    async signedIn(cookies) {
      const found = await auth.api.getSession({ headers: new Headers({ cookie: cookies }) });
      if (!found) return undefined;
      const { session, user } = Signed.parse(found);
      await requireActive(store, user.tenantId);
      return {
        kind: "person",
        tenantId: user.tenantId,
        userId: user.id,
        sessionId: session.id,
        scopes: scopesOfRole(user.role),
      };
    },
    async confirm(person, password) {
      const { internalAdapter, password: hashing } = await auth.$context;
      const hash = (await internalAdapter.findCredentialAccount(person.userId))?.password;
      if (hash) {
        if (password !== undefined && (await hashing.verify({ hash, password }))) return;
        throw new FluxError("invalid_request", "Give your password: this cannot be undone.", { param: "password" });
      }
      const sessions = await store.people.sessions(person.userId, now());
      const session = sessions.find(({ id }) => id === person.sessionId);
      if (session && now() - session.createdAt.getTime() < FRESH_MS) return;
      throw new FluxError("invalid_request", "Sign out, sign in again, and then repeat this: it cannot be undone.");
    },
    async removePerson(userId) {
      const { internalAdapter } = await auth.$context;
      await internalAdapter.deleteUserSessions(userId);
      await internalAdapter.deleteUser(userId);
    },
    async resetToken(userId) {
      const { internalAdapter } = await auth.$context;
      const token = randomUUID();
      await internalAdapter.createVerificationValue({
        identifier: `reset-password:${token}`,
        value: userId,
        expiresAt: new Date(now() + RESET_MS),
      });
      return token;
    },
  };
}

type Status = ConstructorParameters<typeof APIError>[0];

function refusal(status: Status, message: string): APIError {
  return new APIError(status, { message, code: "FLUX" });
}

/** The library answers only its own errors with what they say. */
async function asRefusal(promise: Promise<void>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    throw error instanceof FluxError ? refusal("FORBIDDEN", error.detail) : error;
  }
}
