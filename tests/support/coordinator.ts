/** A whole coordinator in the test's own process: its own data folder, its own port, no pages, a silent log. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { FluxClient } from "#lib/client/flux-client.ts";
import { readConfig } from "#lib/coordinator/config.ts";
import type { Pages } from "#lib/coordinator/http/pages.ts";
import { createLog } from "#lib/coordinator/log.ts";
import { type RunningServer, startCoordinator } from "#lib/coordinator/server.ts";

export interface TestCoordinator {
  readonly server: RunningServer;
  readonly url: string;
  readonly key: string;
  readonly client: FluxClient;
  /** As a person with the first key would call it. */
  readonly call: (path: string, init?: RequestInit) => Promise<Response>;
  readonly dataFolder: string;
  /** Resolves when no job's transition is under way. */
  readonly settled: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * @param environment what an operator would set besides
 * @param preparePages what answers where neither REST nor a probe does; nothing where left out
 */
export async function startTestCoordinator(
  environment: Record<string, string> = {},
  preparePages: (() => Promise<Pages>) | null = null,
): Promise<TestCoordinator> {
  const folder = await mkdtemp(join(tmpdir(), "flux-coordinator-"));
  const config = readConfig({ FLUX_DATA: folder, FLUX_LOG_LEVEL: "error", PORT: "0", ...environment }, []);
  const server = await startCoordinator({ config, log: createLog("error"), preparePages });
  const key = server.firstKey;
  if (!key) throw new Error("a fresh data folder must give a first key");
  return {
    server,
    url: server.url,
    key,
    dataFolder: folder,
    settled: () => server.coordinator.services.jobs.lifecycle.settled(),
    client: new FluxClient({ url: server.url, apiKey: key }),
    call: (path, init = {}) =>
      fetch(`${server.url}/api/v1${path}`, {
        ...init,
        headers: { Authorization: `Bearer ${key}`, ...Object.fromEntries(new Headers(init.headers)) },
      }),
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Real data lies beside the repository, where it is present. */
export const SHARED_DATA = resolve(import.meta.dirname, "../../../shared/data");
