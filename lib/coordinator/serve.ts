/** What main.ts runs: starts the coordinator and stops it in order on SIGTERM or SIGINT. Reads the process, hence no export. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readConfig } from "./config.ts";
import { preparePages } from "./http/pages.ts";
import { createLog } from "./log.ts";
import { startCoordinator } from "./server.ts";

/** What SIGTERM may take; supervisors send SIGKILL soon after. */
const DRAIN_MS = 10_000;

const config = readConfig(process.env, process.argv.slice(2));
const log = createLog(config.logLevel);

if (!config.dev && !existsSync(join(config.projectFolder, ".next", "BUILD_ID"))) {
  console.error("The pages are not built yet. Run `npm run build` first, or `npm run dev` to develop.");
  process.exit(1);
}

const running = await startCoordinator({
  config,
  log,
  preparePages: (port) => preparePages(config.projectFolder, config.dev, port),
}).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

if (running.firstKey) {
  console.log(`API key ${running.firstKey}`);
  console.log("  shown this once: keep it. It signs in to the dashboard and is the bearer token of the API.");
}
if (running.adminLink) {
  console.log(`Admin link ${running.adminLink}`);
  console.log("  whoever signs up there first operates this server. A new one is printed at every start until then.");
}
console.log(`Flux runs at ${running.url}`);
console.log(`  donate     ${running.url}/donate`);
console.log(`  dashboard  ${running.url}/dashboard`);

let stopping = false;
function stop(signal: string): void {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, "draining");
  setTimeout(() => {
    log.error("draining took too long");
    process.exit(1);
  }, DRAIN_MS).unref();
  running.close().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error({ err: error }, "closing failed");
      process.exit(1);
    },
  );
}
process.on("SIGTERM", () => stop("SIGTERM"));
process.on("SIGINT", () => stop("SIGINT"));
