/** What an operator can set, read once from the environment. Everything has a default: `npm start` needs no variables. */
import { resolve } from "node:path";
import { z } from "zod";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";

const Flag = z.enum(["0", "1", "true", "false"]).transform((value) => value === "1" || value === "true");

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
  /** Bearer token that /metrics asks for; without it, /metrics answers only connections from this machine. */
  FLUX_METRICS_TOKEN: z.string().min(16).optional(),
});

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
    projectFolder: resolve(import.meta.dirname, "../.."),
  };
}

/** `PORT= npm start` means "no port", not port 0. */
function dropEmpty(environment: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1]?.trim())),
  );
}
