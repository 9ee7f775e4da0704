/** Takes the port that was asked for, or the first free one from 3000 on. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Config, FIRST_PORT } from "../config.ts";

const PORTS_TRIED = 100;

/** @returns the port that the server listens on */
export async function listen(server: Server, config: Pick<Config, "host" | "port">): Promise<number> {
  if (config.port !== null) return listenOn(server, config.port, config.host);
  for (let port = FIRST_PORT; port < FIRST_PORT + PORTS_TRIED; port++) {
    try {
      return await listenOn(server, port, config.host);
    } catch (error) {
      if (!isAddressInUse(error)) throw error;
    }
  }
  throw new Error(`Ports ${FIRST_PORT} to ${FIRST_PORT + PORTS_TRIED - 1} are all taken. Set PORT to a free one.`);
}

function listenOn(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(error);
    server.once("error", fail);
    server.listen({ port, host }, () => {
      server.off("error", fail);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
