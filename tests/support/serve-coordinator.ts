/** `node tests/support/serve-coordinator.ts FOLDER PORT`: a coordinator without pages in a process that may be killed. */
import { readConfig } from "#lib/coordinator/config.ts";
import { createLog } from "#lib/coordinator/log.ts";
import { startCoordinator } from "#lib/coordinator/server.ts";

const [folder, port] = process.argv.slice(2);
if (!folder || !port) throw new Error("usage: serve-coordinator.ts FOLDER PORT");
const config = readConfig({ FLUX_DATA: folder, FLUX_LOG_LEVEL: "error", PORT: port }, []);
const server = await startCoordinator({ config, log: createLog("error"), preparePages: null });
console.log(JSON.stringify({ url: server.url, firstKey: server.firstKey ?? null }));
process.on("SIGTERM", () => void server.close().then(() => process.exit(0)));
