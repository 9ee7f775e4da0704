/** Next as the custom server's page renderer. The only file that imports it. */
import { type IncomingMessage, Server, type ServerResponse } from "node:http";
import next from "next";
import type { UpgradeHandler } from "./upgrades.ts";

export interface Pages {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** Next's reload socket; null in production. */
  readonly developmentUpgrade: UpgradeHandler | null;
  readonly close: () => Promise<void>;
}

export async function preparePages(projectFolder: string, dev: boolean, port: number): Promise<Pages> {
  process.env.NEXT_TELEMETRY_DISABLED = "1";
  // Next's custom-server mode adds its own `upgrade` listener to the server it is told of. It is told of this one, which
  // never listens and only hears what routeUpgrades forwards.
  const standIn = new Server();
  const app = next({ dev, dir: projectFolder, httpServer: standIn, port, hostname: "localhost", quiet: !dev });
  await app.prepare();
  const handle = app.getRequestHandler();
  return {
    handle: (request, response) => handle(request, response),
    developmentUpgrade: dev ? (request, socket, head) => standIn.emit("upgrade", request, socket, head) : null,
    close: () => app.close(),
  };
}
