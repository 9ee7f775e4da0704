/** Hostile frames of the donor socket, seeded: from bytes that are no packet at all to requests that are nearly right. */
import { DONOR_REQUESTS } from "#lib/protocol/donor.ts";
import { CAPABILITY, SIGNALS } from "../dispatch/harness.ts";

/** One message: text or binary WebSocket frames, in order. */
export type Frames = readonly (string | Uint8Array)[];

const NAMESPACE = "/donors";
const VALID: Readonly<Record<string, unknown>> = {
  "donor:hello": { protocol: 1, useRegion: true, capability: CAPABILITY, signals: SIGNALS },
  "donor:capability": CAPABILITY,
  "donor:signals": SIGNALS,
  "lease:request": { wantMs: 100, memoryBytes: 1e9, runtimes: ["ort-wasm"], cached: [] },
  "lease:return": { leases: [{ leaseId: `ls_${"0".repeat(20)}`, fence: 1 }], reason: "stopped" },
  "payload:get": { leaseId: `ls_${"0".repeat(20)}`, fence: 1 },
  "result:submit": {
    leaseId: `ls_${"0".repeat(20)}`,
    fence: 1,
    runtime: "ort-wasm",
    timings: { queueMs: 0, downloadMs: 0, computeMs: 1, uploadMs: 0 },
  },
};
const NAMES = Object.keys(DONOR_REQUESTS);
const RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "error"];
const STRANGE: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  -1e308,
  2 ** 53,
  0.1,
  "",
  "x".repeat(5_000),
  "\u0000\ud800",
  [],
  {},
  [[[]]],
  { __proto__: null, constructor: { prototype: { polluted: 1 } } },
  JSON.parse('{"__proto__":{"polluted":1}}'),
  JSON.parse('{"toString":1,"valueOf":"x","then":{}}'),
  { _placeholder: true, num: 0 },
  { _placeholder: true, num: -1 },
  { _placeholder: true, num: "0" },
  { length: 1e9 },
  new Array(2_000).fill({ leaseId: 1 }),
];

/** A generator of numbers in 0..1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function hostileFrames(random: () => number): Frames {
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => below(256));
  const event = (args: readonly unknown[], id: number | string = below(1e6)) =>
    `42${NAMESPACE},${id}${JSON.stringify(args)}`;
  const withBuffer = (args: readonly unknown[], buffer: Uint8Array): Frames => [
    `451-${NAMESPACE},${below(1e6)}${JSON.stringify(args)}`,
    buffer,
  ];
  const name = pick(NAMES);

  const kinds: readonly (() => Frames)[] = [
    // No packet, or a broken one
    () => [bytes(below(200))],
    () => [String.fromCharCode(...bytes(1 + below(100)))],
    () => [`4${below(10)}${NAMESPACE},${"[".repeat(below(50))}`],
    () => [`42${NAMESPACE},${"9".repeat(1 + below(400))}["${name}"]`],
    () => [`45${below(1_000_000)}-${NAMESPACE},["${name}",{"_placeholder":true,"num":0}]`],
    () => [`452-${NAMESPACE},1["${name}",{"_placeholder":true,"num":7},null]`, bytes(5), bytes(5)],
    () => [`453-${NAMESPACE},1["${name}",{},null]`, bytes(below(2_000))],
    () => [`42${NAMESPACE},1["${name}",${"[".repeat(20_000)}${"]".repeat(20_000)}]`],
    () => [`42${NAMESPACE},1["${name}",${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}]`],
    () => [`42${NAMESPACE},1${JSON.stringify(pick(STRANGE))}`],
    () => [`43${NAMESPACE},${below(100)}[{"ok":true}]`],
    () => [`40${pick(["/", "/admin", NAMESPACE])},${JSON.stringify(pick(STRANGE))}`],
    () => [`41${NAMESPACE},`],
    () => ["2probe"],
    () => ["6"],
    // Packets with strange events
    () => [event([pick(RESERVED), pick(STRANGE)])],
    () => [event([pick(STRANGE), pick(STRANGE), null])],
    () => [event([pick(["__proto__", "constructor", "toString", "no:such"]), {}, null])],
    () => [event([name])],
    () => [event([name, pick(STRANGE)])],
    () => [event([name, pick(STRANGE), pick(STRANGE)])],
    () => [`42${NAMESPACE},${JSON.stringify([name, VALID[name], null])}`],
    () => [event([name, VALID[name], ...new Array(below(20)).fill(pick(STRANGE))])],
    // Requests that are nearly right
    () => [event([name, mutated(VALID[name], pick, below), null])],
    () => [event([name, mutated(mutated(VALID[name], pick, below), pick, below), null])],
    () => withBuffer([name, mutated(VALID[name], pick, below), { _placeholder: true, num: 0 }], bytes(below(3_000))),
    () => withBuffer([name, { _placeholder: true, num: 0 }, null], bytes(below(100))),
    () => withBuffer([name, VALID[name], { deep: [{ _placeholder: true, num: 0 }] }], bytes(below(100))),
    // Right requests that mean harm: early, foreign, repeated, large
    () => [event([name, VALID[name], null])],
    () =>
      withBuffer(
        ["result:submit", VALID["result:submit"], { _placeholder: true, num: 0 }],
        new Uint8Array(below(500_000)),
      ),
  ];
  return pick(kinds)();
}

/** The value with one of its parts replaced, removed or added. */
function mutated(value: unknown, pick: <T>(list: readonly T[]) => T, below: (n: number) => number): unknown {
  if (typeof value !== "object" || value === null || below(6) === 0) return pick(STRANGE);
  if (Array.isArray(value)) {
    if (value.length === 0 || below(4) === 0) return [...value, pick(STRANGE)];
    const at = below(value.length);
    return value.map((item, i) => (i === at ? mutated(item, pick, below) : item));
  }
  const copy: Record<string, unknown> = { ...value };
  const keys = Object.keys(copy);
  const key = keys[below(keys.length)] ?? "extra";
  const action = below(4);
  if (action === 0) delete copy[key];
  else if (action === 1) copy[`${key}x`] = pick(STRANGE);
  else copy[key] = mutated(copy[key], pick, below);
  return copy;
}
