/**
 * What every request passes before its handler, REST and uploads alike: who is it, have they asked too often, and from now on
 * can they be cut off. Callers are counted by key or session; who shows none, or a wrong one, by address.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { callerId, type Identity } from "../identity.ts";
import { addressOf } from "./address.ts";
import type { Callers } from "./caller.ts";
import type { OpenConnections } from "./open-connections.ts";
import { countedAddress, type Limited, type RateLimits } from "./rate-limits.ts";

export interface Admitted {
  readonly caller: Identity;
  /** To be called when the request has been answered. */
  readonly done: () => void;
}

export interface Admission {
  /** @throws FluxError unauthenticated, forbidden, rate_limited */
  admit(request: IncomingMessage, response: ServerResponse, limit: Limited): Promise<Admitted>;
  /** For what is open to everyone. @throws FluxError rate_limited */
  admitStranger(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

export interface AdmissionOptions {
  readonly callers: Callers;
  readonly limits: RateLimits;
  readonly connections: OpenConnections;
  readonly trustProxy: boolean;
}

export function createAdmission({ callers, limits, connections, trustProxy }: AdmissionOptions): Admission {
  const stranger = (request: IncomingMessage, response: ServerResponse) =>
    limits.consume("open", countedAddress(addressOf(request, trustProxy)), response);

  /** What is revoked while it is looked up must neither be missed there nor here: then it is looked up again. */
  async function identified(request: IncomingMessage): Promise<Identity> {
    for (;;) {
      const { revocations } = connections;
      const caller = await callers.of(request);
      if (connections.revocations === revocations) return caller;
    }
  }

  return {
    admitStranger: stranger,
    async admit(request, response, limit) {
      const caller = await identified(request).catch(async (error: unknown) => {
        await stranger(request, response);
        throw error;
      });
      const done = connections.hold(caller, () => response.destroy());
      try {
        await limits.consume(limit, callerId(caller), response);
      } catch (error) {
        done();
        throw error;
      }
      return { caller, done };
    },
  };
}
