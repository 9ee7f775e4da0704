/**
 * The custom server: one HTTP server for probes, artefacts, REST, the donor socket and Next's pages.
 * `startCoordinator` is what `main.ts` runs and what tests boot in their own process (there without pages).
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { AUTH_PREFIX } from "./accounts/auth.ts";
import type { Config } from "./config.ts";
import type { Coordinator } from "./coordinator.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import { DONOR_SOCKET_PATH } from "./gateway/gateway.ts";
import { listen } from "./http/listen.ts";
import type { Pages } from "./http/pages.ts";
import { answerProbe } from "./http/probes.ts";
import { securityHeaders } from "./http/security-headers.ts";
import { routeUpgrades } from "./http/upgrades.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { CONFIRM_PATH, EMBED_PATH, embedDocument } from "./partners/embed.ts";
import { openParts } from "./parts.ts";
import { registerCoordinator } from "./registry.ts";
import { ARTEFACT_PREFIX, answerArtefact } from "./rest/artefacts.ts";
import { UPLOADS_PATH } from "./rest/uploads.ts";
import { observeWork } from "./work-metrics.ts";

export interface RunningServer {
  readonly coordinator: Coordinator;
  readonly port: number;
  /** By which people reach it. */
  readonly url: string;
  /** The first API key; only at the very first start. */
  readonly firstKey: string | undefined;
  /** What happens to work: for tests and benchmarks. */
  readonly events: Dispatcher["events"];
  /** Where to make the first admin's account; only while there is none. */
  readonly adminLink: string | undefined;
  /** Stops taking work, lets running answers end, and closes everything. Resolves when nothing is left open. */
  readonly close: () => Promise<void>;
}

export interface ServerOptions {
  readonly config: Config;
  readonly log: Log;
  /** Prepares Next, given the port; null serves no pages. */
  readonly preparePages: ((port: number) => Promise<Pages>) | null;
}

type Phase = "starting" | "ready" | "draining";

export async function startCoordinator({ config, log, preparePages }: ServerOptions): Promise<RunningServer> {
  let phase: Phase = "starting";
  const notReady = () => (phase === "ready" ? null : phase);
  const parts = await openParts(config, log, Date.now, notReady);
  const metrics = createMetrics();
  observeWork(metrics.registry, parts);
  let pages: Pages | null = null;

  const coordinator: Coordinator = {
    config,
    log,
    metrics: metrics.registry,
    store: parts.store,
    services: parts.services,
    account: parts.account,
    webhooks: parts.webhooks,
    operator: parts.operator,
    callers: parts.callers,
    connections: parts.connections,
    fleet: parts.fleet,
    optimizer: parts.optimizer,
    routes: parts.routes,
    notReady,
  };
  registerCoordinator(coordinator);

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      log.error({ err: error, method: request.method, path: pathOf(request) }, "request failed");
      if (!response.headersSent) response.writeHead(500, { "Content-Type": "text/plain; charset=utf-8" });
      response.end();
    });
  });
  // A stranger may hold a connection, not a slot forever. Uploads are long, so the limit is on the head and on silence.
  server.headersTimeout = 20_000;
  server.requestTimeout = 0;
  server.timeout = 120_000;
  server.keepAliveTimeout = 10_000;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const path = pathOf(request);
    response.on("finish", () => {
      metrics.http.observe(
        routeLabel(path),
        request.method ?? "",
        response.statusCode,
        (performance.now() - started) / 1000,
      );
    });
    const embed = path === EMBED_PATH || path === CONFIRM_PATH ? await embedDocument(request, parts.embed) : null;
    setSecurityHeaders(request, response, path, config, embed?.frameAncestors ?? []);
    if (await answerProbe(request, response, path, { ...probes, metrics: metrics.registry })) return;
    if (path.startsWith(`${AUTH_PREFIX}/`)) await parts.authHandler(request, response);
    else if (path.startsWith("/api/")) await parts.rest.answer(request, response);
    else if (path === UPLOADS_PATH || path.startsWith(`${UPLOADS_PATH}/`))
      await parts.uploads.answer(request, response);
    else if (path.startsWith(ARTEFACT_PREFIX)) await answerArtefact(request, response, path, parts);
    else if (embed) embed.send(response);
    else if (pages) await pages.handle(request, response);
    else response.writeHead(503, { "Content-Type": "text/plain; charset=utf-8", "Retry-After": "2" }).end("starting\n");
  }
  const probes = { metricsToken: config.metricsToken, notReady: coordinator.notReady };

  const port = await listen(server, config);
  pages = preparePages ? await preparePages(port) : null;
  routeUpgrades(server, {
    donorPath: DONOR_SOCKET_PATH,
    donors: parts.gateway.upgrade,
    nextDevelopment: pages?.developmentUpgrade ?? null,
  });
  await parts.resume();
  phase = "ready";
  const url = config.publicUrl ?? `http://${config.host === "127.0.0.1" ? "localhost" : config.host}:${port}`;
  log.info({ url, dataFolder: config.dataFolder }, "coordinator ready");

  return {
    coordinator,
    port,
    url,
    firstKey: parts.firstKey,
    events: parts.dispatcher.events,
    // Behind a #, which browsers do not send: the token ends in no log.
    adminLink: parts.adminToken === undefined ? undefined : `${url}/sign-up#admin=${parts.adminToken}`,
    close: async () => {
      phase = "draining";
      // Donors' sockets count as open connections of the server: it is closed when the gateway has let them go.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await parts.close();
      server.closeAllConnections();
      await closed;
      await pages?.close();
      registerCoordinator(undefined);
      log.info("coordinator closed");
      log.flush();
    },
  };
}

function setSecurityHeaders(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  config: Config,
  frameAncestors: readonly string[],
): void {
  const nonce = randomBytes(16).toString("base64");
  const https = config.publicUrl?.startsWith("https:") ?? false;
  const headers = securityHeaders({ path, nonce, dev: config.dev, frameAncestors, https });
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // Next finds the nonce for its scripts in this request header; what a client sent there must not count.
  const policy = headers["Content-Security-Policy"];
  if (policy) request.headers["content-security-policy"] = policy;
  else delete request.headers["content-security-policy"];
  request.headers["x-nonce"] = nonce;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

/** A bounded set of labels, whatever paths strangers ask for. */
function routeLabel(path: string): string {
  const first = path.split("/", 3)[1] ?? "";
  return KNOWN_ROUTES.has(first) ? `/${first}` : first === "" ? "/" : "other";
}
const KNOWN_ROUTES = new Set(
  "healthz readyz metrics api artefacts uploads donate dashboard jobs docs embed wasm worker _next".split(" "),
);
