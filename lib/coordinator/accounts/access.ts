/** Everything that decides who gets in, put together: people, keys, rate limits, open connections. */
import type { Store } from "#lib/storage/store.ts";
import { type Audit, createAudit } from "../audit.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { type Admission, createAdmission } from "../rest/admission.ts";
import { type Callers, createCallers } from "../rest/caller.ts";
import { OpenConnections } from "../rest/open-connections.ts";
import { createRateLimits, type RateLimits } from "../rest/rate-limits.ts";
import { type Accounts, createAccounts } from "./auth.ts";
import { type AuthHandler, createAuthHandler } from "./auth-handler.ts";
import { mailHook } from "./mail.ts";
import { authSecret } from "./secret.ts";

export interface Access {
  readonly accounts: Accounts;
  readonly authHandler: AuthHandler;
  readonly callers: Callers;
  readonly admission: Admission;
  readonly connections: OpenConnections;
  readonly limits: RateLimits;
  readonly audit: Audit;
  readonly close: () => void;
}

export interface AccessOptions {
  readonly store: Store;
  readonly config: Config;
  readonly log: Log;
  readonly now: () => number;
}

/** Sessions and links that have run out are refused anyway; their rows go once a day. */
const SWEEP_MS = 24 * 3600 * 1000;

export async function openAccess({ store, config, log, now }: AccessOptions): Promise<Access> {
  const { trustProxy, publicUrl, mailHook: hook } = config;
  const connections = new OpenConnections();
  const limits = createRateLimits(config.rateScale);
  const audit = createAudit(store, now);
  const accounts = createAccounts({
    store,
    config,
    secret: await authSecret(config.dataFolder),
    sendMail: hook ? mailHook(hook.url, hook.token, log) : null,
    connections,
    audit,
    log,
    now,
  });
  const forgetExpired = () =>
    store.people
      .removeExpired(now())
      .catch((error: unknown) => log.error({ err: error }, "expired sessions could not be deleted"));
  await forgetExpired();
  const sweep = setInterval(() => void forgetExpired(), SWEEP_MS);
  sweep.unref();
  const callers = createCallers({ store, signedIn: accounts.signedIn, now });
  return {
    accounts,
    authHandler: createAuthHandler({
      accounts,
      limits,
      publicUrl,
      trustProxy,
      onError: (error) => log.error({ err: error }, "signing in failed"),
    }),
    callers,
    admission: createAdmission({ callers, limits, connections, trustProxy }),
    connections,
    limits,
    audit,
    close: () => clearInterval(sweep),
  };
}
