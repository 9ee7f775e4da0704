/** `node tests/support/serve-coordinator.ts FOLDER PORT`: a coordinator without pages in a process that may be killed. */
import "#lib/coordinator/compile-cache.ts";

// As main.ts does it: what is imported now comes from the cache.
const { readConfig } = await import("#lib/coordinator/config.ts");
const { createLog } = await import("#lib/coordinator/log.ts");
const { startCoordinator } = await import("#lib/coordinator/server.ts");

const [folder, port] = process.argv.slice(2);
if (!folder || !port) throw new Error("usage: serve-coordinator.ts FOLDER PORT");
const config = readConfig({ FLUX_DATA: folder, FLUX_LOG_LEVEL: "error", PORT: port }, []);
const server = await startCoordinator({ config, log: createLog("error"), preparePages: null });
console.log(JSON.stringify({ url: server.url, firstKey: server.firstKey ?? null }));
process.on("SIGTERM", () => void server.close().then(() => process.exit(0)));
