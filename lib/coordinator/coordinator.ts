/** What the running coordinator consists of: the parts that REST, the donor gateway and the views share. */
import type { Registry } from "prom-client";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";

export interface Coordinator {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Registry;
  /** What keeps it from serving, in words; null when it is ready. */
  readonly notReady: () => string | null;
}
