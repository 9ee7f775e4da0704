/**
 * The one place where a connection may become a WebSocket. Only the donor socket's path goes on to Socket.IO, and in
 * development Next's reload socket to Next; every other upgrade is destroyed, so that no stranger reaches Next's upgrade
 * handling (a request-smuggling class of bugs has lived there).
 */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface UpgradeRoutes {
  /** Socket.IO's path, with its trailing slash. */
  readonly donorPath: string;
  readonly donors: UpgradeHandler;
  /** Null in production. */
  readonly nextDevelopment: UpgradeHandler | null;
}

/** Turbopack's and webpack's. */
const NEXT_RELOAD_PATHS: ReadonlySet<string> = new Set(["/_next/hmr", "/_next/webpack-hmr"]);

export function routeUpgrades(server: Server, routes: UpgradeRoutes): void {
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (path === routes.donorPath) routes.donors(request, socket, head);
    else if (routes.nextDevelopment && NEXT_RELOAD_PATHS.has(path)) routes.nextDevelopment(request, socket, head);
    else socket.destroy();
  });
}
