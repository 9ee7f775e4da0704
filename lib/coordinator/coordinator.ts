/** What the running coordinator consists of: the parts that REST, the donor gateway and the views share. */
import type { Registry } from "prom-client";
import type { Store } from "#lib/storage/store.ts";
import type { Config } from "./config.ts";
import type { FleetReporter } from "./fleet-report.ts";
import type { Log } from "./log.ts";
import type { OperatorService } from "./operator/operator-service.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Callers } from "./rest/caller.ts";
import type { OpenConnections } from "./rest/open-connections.ts";
import type { Route } from "./rest/route.ts";
import type { AccountService } from "./services/account.ts";
import type { Services } from "./services/index.ts";
import type { WebhookService } from "./services/webhooks.ts";

export interface Coordinator {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Registry;
  readonly store: Store;
  readonly services: Services;
  /** Who is signed in, for pages. */
  readonly account: AccountService;
  readonly webhooks: WebhookService;
  readonly operator: OperatorService;
  readonly callers: Callers;
  readonly connections: OpenConnections;
  /** How the scheduler stands, and what its background pass changed. */
  readonly fleet: FleetReporter;
  readonly optimizer: Pick<Optimizer, "entries">;
  /** The REST interface, for the docs page. */
  readonly routes: readonly Route[];
  /** What keeps it from serving, in words; null when it is ready. */
  readonly notReady: () => string | null;
}
