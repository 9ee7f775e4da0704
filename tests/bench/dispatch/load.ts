/** The load generator: donors over real sockets that compute nothing, and what they measure. */
import { io, type Socket } from "socket.io-client";
import {
  type Answer,
  DONOR_NAMESPACE,
  type DonorAnswer,
  type DonorRequest,
  type DonorRequestName,
  type Hello,
  type Lease,
} from "#lib/protocol/donor.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { CAPABILITY, SIGNALS } from "#tests/unit/coordinator/dispatch/harness.ts";

const HELLO: Hello = {
  protocol: 1,
  useRegion: true,
  capability: { ...CAPABILITY, memoryBytes: 2 ** 40 },
  signals: SIGNALS,
};
const TIMINGS = { queueMs: 0, downloadMs: 0, computeMs: 0, uploadMs: 0 };
/** What the sample stage occupies besides payloads. */
const RESIDENT_BYTES = 1_000;

export interface Donor {
  readonly socket: Socket;
  request<Name extends DonorRequestName>(name: Name, request: DonorRequest<Name>): Promise<Answer<DonorAnswer<Name>>>;
}

export async function connectDonors(port: number, count: number): Promise<Donor[]> {
  const donors: Donor[] = [];
  // In groups: a storm of handshakes is not what is measured.
  for (let at = 0; at < count; at += 50) {
    const group = Array.from({ length: Math.min(50, count - at) }, () => connectDonor(port));
    donors.push(...(await Promise.all(group)));
  }
  return donors;
}

async function connectDonor(port: number): Promise<Donor> {
  const socket = io(`http://127.0.0.1:${port}${DONOR_NAMESPACE}`, {
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
  });
  const donor: Donor = {
    socket,
    request: (name, request) => new Promise((resolve) => socket.emit(name, request, null, resolve)),
  };
  const answer = await donor.request("donor:hello", HELLO);
  if (!answer.ok) throw new Error(answer.detail);
  return donor;
}

export interface LoadOptions {
  /** Leases that a donor has room for at once. */
  readonly bundle: number;
  readonly seconds: number;
  /** Microtasks a second over all donors; as fast as it goes where it is left out. */
  readonly perSecond?: number;
}

export interface LoadReport {
  readonly acknowledged: number;
  readonly perSecond: number;
  readonly leaseMs: readonly number[];
  readonly resultMs: readonly number[];
  readonly refused: number;
}

/** Every donor asks, sends its results at once, and asks again while they are on their way. */
export async function load(donors: readonly Donor[], options: LoadOptions): Promise<LoadReport> {
  const { bundle, seconds, perSecond } = options;
  const leaseMs: number[] = [];
  const resultMs: number[] = [];
  let acknowledged = 0;
  let refused = 0;
  const startMs = performance.now();
  const endMs = startMs + 1_000 * seconds;
  const request: DonorRequest<"lease:request"> = {
    wantMs: 3_000,
    memoryBytes: RESIDENT_BYTES + bundle * SOCKET_LIMITS.payloadBytes + 1,
    runtimes: ["ort-wasm"],
    cached: [],
  };

  async function submit(donor: Donor, { leaseId, fence }: Lease): Promise<void> {
    const sentMs = performance.now();
    const answer = await donor.request("result:submit", { leaseId, fence, runtime: "ort-wasm", timings: TIMINGS });
    const nowMs = performance.now();
    if (!answer.ok) refused++;
    else if (nowMs <= endMs) {
      acknowledged++;
      resultMs.push(nowMs - sentMs);
    }
  }

  async function work(donor: Donor, index: number): Promise<void> {
    // Paced donors start spread out and keep their own beat.
    const everyMs = perSecond === undefined ? 0 : (1_000 * bundle * donors.length) / perSecond;
    let beatMs = startMs + (everyMs * index) / donors.length;
    let sending: Promise<unknown> = Promise.resolve();
    while (performance.now() < endMs) {
      if (everyMs > 0) {
        const waitMs = beatMs - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        beatMs += everyMs;
      }
      const askedMs = performance.now();
      const answer = await donor.request("lease:request", request);
      if (!answer.ok || answer.value.kind === "wait") {
        if (!answer.ok) throw new Error(answer.detail);
        continue;
      }
      leaseMs.push(performance.now() - askedMs);
      await sending;
      sending = Promise.all(answer.value.leases.map((lease) => submit(donor, lease)));
    }
    await sending;
  }

  await Promise.all(donors.map(work));
  return { acknowledged, perSecond: acknowledged / seconds, leaseMs, resultMs, refused };
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
