/** One structured log: JSON lines on standard error, so that standard output stays for people and pipes. */
import { destination, type Logger, pino } from "pino";
import type { Config } from "./config.ts";

export type Log = Logger;

export function createLog(level: Config["logLevel"]): Log {
  return pino(
    {
      level,
      base: null,
      // What could sign in as somebody is never written down.
      redact: { paths: ["*.authorization", "*.cookie", "*.apiKey", "authorization", "cookie", "apiKey"], remove: true },
    },
    destination({ dest: 2, sync: false }),
  );
}
