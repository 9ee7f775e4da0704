/** Who may do what: scopes, API keys, people and their sessions, as the REST interface shows them. */
import { z } from "zod";
import { ApiKeyId, SessionId, TenantId, UserId } from "../ids.ts";
import { ACCOUNT_LIMITS } from "../limits.ts";
import { Timestamp } from "./common.ts";

/**
 * What a caller may do. `jobs:read` and `jobs:write`: files, models, datasets and jobs of its account. `account`: the account's
 * keys, webhooks and people. `admin`: the whole server, and everything else.
 */
export const Scope = z.enum(["jobs:read", "jobs:write", "account", "admin"]);
export type Scope = z.infer<typeof Scope>;

/** What a person is to this server; an admin operates it. */
export const Role = z.enum(["member", "admin"]);
export type Role = z.infer<typeof Role>;

// ---------------------------------------------------------------- API keys

export const CreateApiKey = z.object({
  name: z.string().trim().min(1).max(120),
  scopes: z.array(Scope).min(1).max(4).default(["jobs:read", "jobs:write"]),
});
export type CreateApiKey = z.infer<typeof CreateApiKey>;

export const ApiKeyResource = z
  .object({
    id: ApiKeyId,
    object: z.literal("api_key"),
    name: z.string(),
    /** Its last four characters. */
    hint: z.string(),
    scopes: z.array(Scope),
    created_at: Timestamp,
    last_used_at: Timestamp.nullable(),
    revoked_at: Timestamp.nullable(),
  })
  .meta({ id: "ApiKey" });
export type ApiKeyResource = z.infer<typeof ApiKeyResource>;

/** The answer to making a key: the only time that the key itself is shown. */
export const NewApiKey = z.object({ id: ApiKeyId, key: z.string() }).meta({ id: "NewApiKey" });

// ---------------------------------------------------------------- people

/** Signs a browser in with an API key: the key goes into a cookie that scripts cannot read. */
export const SignIn = z.object({ key: z.string().trim().min(1).max(200) });
export const Session = z.object({ tenant: TenantId, scopes: z.array(Scope) }).meta({ id: "Session" });

/** What an account uses of what it may hold. */
const Used = z.object({ used: z.int().nonnegative(), limit: z.int().nonnegative() });
export const Usage = z.object({ jobs: Used, concurrent_jobs: Used, files: Used, bytes: Used }).meta({ id: "Usage" });
export type Usage = z.infer<typeof Usage>;

export const AccountResource = z
  .object({
    object: z.literal("account"),
    tenant: TenantId,
    name: z.string(),
    scopes: z.array(Scope),
    /** Null where the caller is an API key. */
    person: z
      .object({ id: UserId, name: z.string(), email: z.string(), role: Role, has_password: z.boolean() })
      .nullable(),
    usage: Usage,
    created_at: Timestamp,
  })
  .meta({ id: "Account" });
export type AccountResource = z.infer<typeof AccountResource>;

export const SessionResource = z
  .object({
    id: SessionId,
    object: z.literal("session"),
    /** The one that asks. */
    current: z.boolean(),
    address: z.string().nullable(),
    user_agent: z.string().nullable(),
    created_at: Timestamp,
    expires_at: Timestamp,
  })
  .meta({ id: "SessionOfPerson" });
export type SessionResource = z.infer<typeof SessionResource>;

/** The password again, or for people without one a session of less than a day. */
export const DeleteAccount = z.object({ password: z.string().max(ACCOUNT_LIMITS.passwordCharsMax).optional() });
