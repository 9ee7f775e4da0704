/** One connected donor: what the scheduler sees of it, its standing, and how to tell it things. */

import { reliability } from "#lib/integrity/reputation.ts";
import type {
  Capability,
  CoordinatorNotice,
  CoordinatorNoticeName,
  LeaseRequest,
  Signals,
} from "#lib/protocol/donor.ts";
import type { DonorId, GroupId, SiteId, VolunteerId } from "#lib/protocol/ids.ts";
import { deviceClass, usableRuntimes } from "#lib/scheduling/device-class.ts";
import type { DonorView, IdleReason, RuntimeRate } from "#lib/scheduling/types.ts";
import type { DonorRecord } from "#lib/storage/records.ts";

/** Writable where the scheduler only reads. */
interface OwnDonorView extends DonorView {
  country: string | null;
  runtimes: readonly RuntimeRate[];
}

export interface NewDonor {
  readonly record: DonorRecord;
  readonly capability: Capability;
  readonly signals: Signals;
  readonly notify: <Name extends CoordinatorNoticeName>(name: Name, notice: CoordinatorNotice<Name>) => void;
  /** Ends the connection: another one took the donor id up, or it is banned. */
  readonly disconnect: () => void;
}

export class DonorSession {
  readonly id: DonorId;
  readonly view: DonorView;
  readonly notify: NewDonor["notify"];
  readonly disconnect: () => void;
  readonly siteId: SiteId | null;
  readonly groupId: GroupId | null;
  readonly volunteerId: VolunteerId | null;
  accepted: number;
  refused: number;
  /** False once its connection ended. */
  connected = true;
  /** Refusals that are not in the store yet; what is accepted is counted with its result. */
  unwrittenRefusals = 0;
  lastObservedMs = 0;
  /** Why its last request found nothing; null when it found something. */
  idle: { readonly reason: IdleReason; readonly why: string } | null = null;
  #rates: readonly RuntimeRate[];
  /** As hello allowed it. */
  readonly #country: string | null;
  readonly #view: OwnDonorView;

  constructor({ record, capability, signals, notify, disconnect }: NewDonor, nowMs: number) {
    this.id = record.id;
    this.siteId = record.siteId;
    this.groupId = record.groupId;
    this.volunteerId = record.volunteerId;
    this.accepted = record.accepted;
    this.refused = record.refused;
    this.notify = notify;
    this.disconnect = disconnect;
    this.#rates = usableRuntimes(capability);
    this.#country = record.country;
    this.#view = {
      id: record.id,
      deviceClass: deviceClass(capability),
      runtimes: this.#rates,
      benchmarkDownBytesPerSecond: capability.downloadBytesPerSecond,
      connectedAtMs: nowMs,
      country: record.country,
      groupIds: new Set(record.groupId === null ? [] : [record.groupId]),
      memoryBytes: capability.memoryBytes,
      heldBytes: 0,
      cached: new Set(),
      visible: signals.visible,
      cpuShare: signals.cpuShare,
      gpuShare: signals.gpuShare,
      reliability: reliability(record),
      busyUntilMs: nowMs,
    };
    this.view = this.#view;
  }

  measured(capability: Capability): void {
    this.#rates = usableRuntimes(capability);
    this.#view.runtimes = this.#rates;
  }

  signalled(signals: Signals): void {
    this.#view.visible = signals.visible;
    this.#view.cpuShare = signals.cpuShare;
    this.#view.gpuShare = signals.gpuShare;
    if (signals.useRegion !== undefined) this.#view.country = signals.useRegion ? this.#country : null;
  }

  /** What the donor says with every request: its memory, its cache, and which runtimes still work. */
  asked(request: LeaseRequest): void {
    this.#view.memoryBytes = request.memoryBytes;
    const runtimes = this.#rates.filter(({ runtime }) => request.runtimes.includes(runtime));
    if (runtimes.length !== this.#view.runtimes.length) this.#view.runtimes = runtimes;
    this.#view.cached.clear();
    for (const digest of request.cached) this.#view.cached.add(digest);
  }

  judged(right: boolean): void {
    if (right) this.accepted++;
    else {
      this.refused++;
      this.unwrittenRefusals++;
    }
    this.#view.reliability = reliability(this);
  }
}

/** Stands for a donor that holds leases from before a restart and has not come back yet. */
export function absentDonor(id: DonorId): DonorView {
  return {
    id,
    deviceClass: "absent",
    runtimes: [],
    benchmarkDownBytesPerSecond: 0,
    connectedAtMs: 0,
    country: null,
    groupIds: new Set(),
    memoryBytes: 0,
    heldBytes: 0,
    cached: new Set(),
    visible: true,
    cpuShare: 1,
    gpuShare: 1,
    reliability: 1,
    busyUntilMs: 0,
  };
}
