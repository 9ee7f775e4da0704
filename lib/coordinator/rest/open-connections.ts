/**
 * Requests that are being answered, by who makes them: when a key is revoked, a session ended or an account suspended, what
 * that caller has open (a stream of events, an upload, a download) is cut off in the same moment.
 */
import type { ApiKeyId, SessionId, TenantId, UserId } from "#lib/protocol/ids.ts";
import { callerId, type Identity } from "../identity.ts";

/** A key, a session, all sessions of a person, or everybody of an account. */
export type Revoked = ApiKeyId | SessionId | UserId | TenantId;

export class OpenConnections {
  readonly #byId = new Map<Revoked, Set<() => void>>();
  /** An identity is made anew for each request. */
  readonly #releases = new WeakMap<Identity, () => void>();
  #revocations = 0;

  /** Moves with every revocation: who was identified before one has to be identified again. */
  get revocations(): number {
    return this.#revocations;
  }

  /** @returns the function to call when the request has been answered */
  hold(identity: Identity, end: () => void): () => void {
    const ids: Revoked[] = [callerId(identity), identity.tenantId];
    if (identity.kind === "person") ids.push(identity.userId);
    for (const id of ids) {
      const ends = this.#byId.get(id) ?? new Set();
      ends.add(end);
      this.#byId.set(id, ends);
    }
    const release = () => {
      for (const id of ids) {
        const ends = this.#byId.get(id);
        ends?.delete(end);
        if (ends?.size === 0) this.#byId.delete(id);
      }
    };
    this.#releases.set(identity, release);
    return release;
  }

  /** The request that itself ends its caller's access is still answered. */
  spare(identity: Identity): void {
    this.#releases.get(identity)?.();
  }

  end(id: Revoked): void {
    this.#revocations += 1;
    for (const end of [...(this.#byId.get(id) ?? [])]) end();
  }

  /** How many requests a caller has open. */
  count(id: Revoked): number {
    return this.#byId.get(id)?.size ?? 0;
  }
}
