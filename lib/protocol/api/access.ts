/** API keys and sign-in as the REST interface shows them. */
import { z } from "zod";
import { ApiKeyId, TenantId } from "../ids.ts";
import { Timestamp } from "./common.ts";

/** What a key may do. */
export const Scope = z.enum(["jobs:read", "jobs:write", "admin"]);
export type Scope = z.infer<typeof Scope>;

export const CreateApiKey = z.object({
  name: z.string().trim().min(1).max(120),
  scopes: z.array(Scope).min(1).max(3).default(["jobs:read", "jobs:write"]),
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

/** Signs a browser in: the key goes into a cookie that scripts cannot read. */
export const SignIn = z.object({ key: z.string().trim().min(1).max(200) });
export const Session = z.object({ tenant: TenantId, scopes: z.array(Scope) }).meta({ id: "Session" });
