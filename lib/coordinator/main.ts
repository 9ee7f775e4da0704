/** `node lib/coordinator/main.ts [--dev]`: starts the coordinator. Nothing but the cache is imported before the cache works. */
import "./compile-cache.ts";

await import("./serve.ts");
