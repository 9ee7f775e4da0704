/** What an operator can set, read once from the environment. Everything has a default: `npm start` needs no variables. */
import { resolve } from "node:path";
import { z } from "zod";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";

const Flag = z.enum(["0", "1", "true", "false"]).transform((value) => value === "1" || value === "true");

const OAuthClient = z
  .string()
  .regex(/^[^:\s]+:\S+$/, "CLIENT_ID:CLIENT_SECRET is wanted here")
  .transform((pair) => {
    const colon = pair.indexOf(":");
    return { clientId: pair.slice(0, colon), clientSecret: pair.slice(colon + 1) };
  });
type OAuthClient = z.output<typeof OAuthClient>;

const Environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  /** This machine only, unless the operator opens it: 0.0.0.0 or :: for all interfaces. */
  HOST: z.string().min(1).default("127.0.0.1"),
  FLUX_DATA: z.string().min(1).default("./data"),
  FLUX_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
  /** What submitters and donors reach this coordinator by, where it stands behind a proxy. */
  FLUX_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Set behind a reverse proxy that overwrites X-Forwarded-For; never where clients connect directly. */
  FLUX_TRUST_PROXY: Flag.default(false),
  /** Other origins whose pages may open donor sockets, separated by commas. */
  FLUX_DONOR_ORIGINS: z
    .string()
    .transform((list) => list.split(",").map((origin) => origin.trim()))
    .pipe(z.array(z.url({ protocol: /^https?$/ })))
    .default([]),
  /** Donor sockets that one address may open: more for a school or a lab behind one address. */
  FLUX_SOCKETS_PER_ADDRESS: z.coerce.number().int().min(1).max(100_000).default(SOCKET_LIMITS.socketsPerAddress),
  /** An mmdb file with countries of addresses, in place of the one that ships with Flux. */
  FLUX_COUNTRY_FILE: z.string().optional(),
  /** Whether strangers may make accounts here; the admin link works either way. */
  FLUX_SIGN_UP: z.enum(["open", "closed"]).default("open"),
  /** Ways to sign in besides a password, each as CLIENT_ID:CLIENT_SECRET; they need FLUX_PUBLIC_URL. */
  FLUX_OAUTH_GITHUB: OAuthClient.optional(),
  FLUX_OAUTH_GOOGLE: OAuthClient.optional(),
  FLUX_OAUTH_GITLAB: OAuthClient.optional(),
  FLUX_OAUTH_HUGGINGFACE: OAuthClient.optional(),
  /** Where mail is handed to, as JSON {to, subject, text}, with a bearer token if one is set. Without it no mail is sent. */
  FLUX_MAIL_HOOK: z.url({ protocol: /^https?$/ }).optional(),
  FLUX_MAIL_TOKEN: z.string().optional(),
  /** Multiplies every rate limit of lib/protocol/limits.ts. */
  FLUX_RATE_SCALE: z.coerce.number().positive().default(1),
  /** Webhooks to http addresses, and to addresses of private networks: for development, and inside a closed network. */
  FLUX_WEBHOOK_HTTP: Flag.default(false),
  FLUX_WEBHOOK_PRIVATE: Flag.default(false),
  /** Bearer token that /metrics asks for; without it, /metrics answers only connections from this machine. */
  FLUX_METRICS_TOKEN: z.string().min(16).optional(),
});

export type OAuthProvider = "github" | "google" | "gitlab" | "huggingface";

export interface Config {
  /** Next's development mode: sources are compiled on request. */
  readonly dev: boolean;
  readonly host: string;
  /** Null: 3000, or the next free one. A port that was asked for by name is taken or refused, never moved. */
  readonly port: number | null;
  readonly dataFolder: string;
  readonly logLevel: z.infer<typeof Environment>["FLUX_LOG_LEVEL"];
  readonly publicUrl: string | null;
  readonly trustProxy: boolean;
  readonly donorOrigins: readonly string[];
  readonly countryFile: string | null;
  readonly socketsPerAddress: number;
  readonly metricsToken: string | null;
  readonly signUp: "open" | "closed";
  /** Providers that people may sign in with. */
  readonly oauth: Readonly<Partial<Record<OAuthProvider, OAuthClient>>>;
  readonly mailHook: { readonly url: string; readonly token: string | null } | null;
  readonly rateScale: number;
  readonly webhooks: { readonly allowHttp: boolean; readonly allowPrivate: boolean };
  /** Folder that holds `.next`, `app` and `public`. */
  readonly projectFolder: string;
}

export const FIRST_PORT = 3000;

export function readConfig(environment: Record<string, string | undefined>, args: readonly string[]): Config {
  const parsed = Environment.safeParse(dropEmpty(environment));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`These environment variables cannot be used:\n${lines.join("\n")}`);
  }
  const values = parsed.data;
  const clients: [OAuthProvider, OAuthClient | undefined][] = [
    ["github", values.FLUX_OAUTH_GITHUB],
    ["google", values.FLUX_OAUTH_GOOGLE],
    ["gitlab", values.FLUX_OAUTH_GITLAB],
    ["huggingface", values.FLUX_OAUTH_HUGGINGFACE],
  ];
  const oauth = Object.fromEntries(clients.filter(([, client]) => client !== undefined));
  if (values.FLUX_PUBLIC_URL === undefined && (Object.keys(oauth).length > 0 || values.FLUX_MAIL_HOOK)) {
    throw new Error("Set FLUX_PUBLIC_URL too: providers and mails must name the address that people reach Flux by.");
  }
  return {
    dev: args.includes("--dev"),
    host: values.HOST,
    port: values.PORT ?? null,
    dataFolder: resolve(values.FLUX_DATA),
    logLevel: values.FLUX_LOG_LEVEL,
    publicUrl: values.FLUX_PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    trustProxy: values.FLUX_TRUST_PROXY,
    donorOrigins: values.FLUX_DONOR_ORIGINS,
    countryFile: values.FLUX_COUNTRY_FILE ?? null,
    socketsPerAddress: values.FLUX_SOCKETS_PER_ADDRESS,
    metricsToken: values.FLUX_METRICS_TOKEN ?? null,
    signUp: values.FLUX_SIGN_UP,
    oauth,
    mailHook: values.FLUX_MAIL_HOOK ? { url: values.FLUX_MAIL_HOOK, token: values.FLUX_MAIL_TOKEN ?? null } : null,
    rateScale: values.FLUX_RATE_SCALE,
    webhooks: { allowHttp: values.FLUX_WEBHOOK_HTTP, allowPrivate: values.FLUX_WEBHOOK_PRIVATE },
    projectFolder: resolve(import.meta.dirname, "../.."),
  };
}

/** `PORT= npm start` means "no port", not port 0. */
function dropEmpty(environment: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1]?.trim())),
  );
}
