/** How long donors stay: departures per donor-millisecond of the recent past, shrunk towards one in ten minutes. */
import type { DonorId } from "#lib/protocol/ids.ts";
import type { SessionEvent } from "./types.ts";

const PRIOR_SESSION_MS = 600_000;
/** Exposure of this many donor-milliseconds is remembered: some hundred sessions. */
const MEMORY_SESSIONS = 200;

export class Sessions {
  readonly #online = new Set<DonorId>();
  #exposureMs = 0;
  #departures = 0;
  #atMs = 0;

  observe(event: SessionEvent): void {
    this.#advance(event.atMs);
    if (event.kind === "joined") this.#online.add(event.donorId);
    else if (this.#online.delete(event.donorId)) {
      this.#departures++;
      if (this.#departures > MEMORY_SESSIONS) {
        this.#departures /= 2;
        this.#exposureMs /= 2;
      }
    }
  }

  meanMs(nowMs: number): number {
    this.#advance(nowMs);
    return (this.#exposureMs + PRIOR_SESSION_MS) / (this.#departures + 1);
  }

  #advance(nowMs: number): void {
    if (nowMs > this.#atMs) {
      this.#exposureMs += this.#online.size * (nowMs - this.#atMs);
      this.#atMs = nowMs;
    }
  }
}
