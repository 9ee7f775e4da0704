/** The donors that are connected: they come, go, are judged, and their refusals reach the store once a second. */
import { isBanned } from "#lib/integrity/reputation.ts";
import type { DonorId } from "#lib/protocol/ids.ts";
import type { Board } from "#lib/scheduling/board.ts";
import type { CostModel } from "#lib/scheduling/types.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Clock } from "../clock.ts";
import { DonorSession, type NewDonor } from "./donor-session.ts";
import type { DispatchEvents, Emitter } from "./events.ts";

export interface FleetOptions {
  readonly board: Board;
  readonly costModel: CostModel;
  readonly donors: Store["donors"];
  readonly clock: Clock;
  readonly events: Emitter<DispatchEvents>;
  /** Gives back what a departing donor holds. */
  readonly release: (donorId: DonorId) => { readonly returned: number; readonly kept: number };
}

const COUNTERS_EVERY_MS = 1_000;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #sessions = new Map<DonorId, DonorSession>();
  #cancelCounters: () => void;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#cancelCounters = this.#scheduleCounters();
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(id: DonorId): DonorSession | undefined {
    return this.#sessions.get(id);
  }

  values(): IterableIterator<DonorSession> {
    return this.#sessions.values();
  }

  /** A second connection with the same id takes over from the first. */
  join(donor: NewDonor): DonorSession {
    const { board, costModel, clock, events } = this.#options;
    const nowMs = clock.nowMs();
    const before = this.#sessions.get(donor.record.id);
    if (before) {
      this.leave(before);
      before.disconnect();
    }
    const session = new DonorSession(donor, nowMs);
    this.#sessions.set(session.id, session);
    board.join(session.view);
    costModel.observeSession({ kind: "joined", donorId: session.id, atMs: nowMs });
    events.emit("donor:joined", { donorId: session.id, online: this.#sessions.size });
    return session;
  }

  /** What it held is free at once, but for results that are being checked; with those it stays on the board until they are. */
  leave(session: DonorSession): void {
    if (!session.connected) return;
    const { board, costModel, clock, events, release } = this.#options;
    session.connected = false;
    this.#sessions.delete(session.id);
    const { returned, kept } = release(session.id);
    if (kept === 0) board.leave(session.id);
    this.#writeCountersOf(session);
    costModel.observeSession({ kind: "left", donorId: session.id, atMs: clock.nowMs() });
    events.emit("donor:left", { donorId: session.id, online: this.#sessions.size, leasesReturned: returned });
  }

  /** An accepted result of this donor turned out wrong when all of it was recomputed: counts like one that was refused. */
  convict(donorId: DonorId): void {
    const session = this.#sessions.get(donorId);
    if (session) {
      session.judged(false);
      this.banIfDue(session);
    } else this.#options.donors.count(donorId, { refused: 1 }, this.#options.clock.nowMs());
  }

  /** Ends the connection of a donor that has been wrong too often. */
  banIfDue(session: DonorSession): void {
    if (!isBanned(session)) return;
    const { donors, clock, events } = this.#options;
    events.emit("donor:banned", { donorId: session.id, refused: session.refused });
    this.#writeCountersOf(session);
    donors.ban(session.id, clock.nowMs()).catch((error: unknown) => {
      events.emit("dispatch:failed", { what: `banning ${session.id}`, error });
    });
    this.leave(session);
    session.disconnect();
  }

  close(): void {
    this.#cancelCounters();
    this.#writeCounters();
  }

  #scheduleCounters(): () => void {
    return this.#options.clock.after(COUNTERS_EVERY_MS, () => {
      this.#writeCounters();
      this.#cancelCounters = this.#scheduleCounters();
    });
  }

  #writeCounters(): void {
    for (const session of this.#sessions.values()) this.#writeCountersOf(session);
  }

  #writeCountersOf(session: DonorSession): void {
    const refused = session.unwrittenRefusals;
    if (refused === 0) return;
    session.unwrittenRefusals = 0;
    this.#options.donors.count(session.id, { refused }, this.#options.clock.nowMs());
  }
}
