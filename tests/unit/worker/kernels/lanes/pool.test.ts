import { describe, expect, it } from "vitest";
import { laneBytes, parseResult, payloadHeader } from "#lib/lanes/block.ts";
import { encodeProgram } from "#lib/lanes/program-codec.ts";
import { buildProgram } from "#tests/unit/lanes/arbitrary.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import type { LaneThread } from "#worker/kernels/lanes/threads/calls.ts";
import { poolLanes } from "#worker/kernels/lanes/threads/pool.ts";
import { serveLaneThread } from "#worker/kernels/lanes/threads/serve.ts";

const program = buildProgram({
  seed: 8,
  bits: [30],
  widths: [9, 7, 5, 3],
  squares: 2,
  digits: 1,
  extreme: false,
  groups: 2,
  carried: false,
});
const run = { primeIndex: 0, firstLane: 3, laneCount: 700 };

function payload(): Uint8Array {
  const q = program.ring.primes[0]!;
  const header = payloadHeader(program.ring, program.inputs, run, new Uint8Array(16).fill(4));
  const bytes = new Uint8Array(header.length + run.laneCount * laneBytes(q, program.inputs));
  bytes.set(header);
  return bytes;
}

interface FakeThread extends LaneThread {
  /** What a crash of the thread does. */
  crash(): void;
  evaluations: number;
  terminated: boolean;
}

/** A lane thread in this realm, behind a message channel. */
function thread(behaviour: "serves" | "is deaf" = "serves"): FakeThread {
  const { port1, port2 } = new MessageChannel();
  let crashed: (detail: string) => void = () => {};
  if (behaviour === "serves") {
    serveLaneThread({
      postMessage: (message, transfer) => port2.postMessage(message, transfer),
      addEventListener: (type, listener) => port2.addEventListener(type, listener),
    });
    port2.start();
  }
  const made: FakeThread = {
    evaluations: 0,
    terminated: false,
    postMessage(message, transfer) {
      if (JSON.stringify(message, (key, value) => (key === "request" ? null : value)).includes("evaluate"))
        made.evaluations++;
      port1.postMessage(message, transfer);
    },
    addEventListener(type, listener) {
      port1.addEventListener(type, listener);
      port1.start();
    },
    onCrash(listener) {
      crashed = listener;
    },
    terminate() {
      made.terminated = true;
      port1.close();
    },
    crash: () => crashed("gone"),
  };
  return made;
}

async function expected(): Promise<Uint32Array> {
  return parseResult(await runLanes(program, await laneSimdRuntime.prepare(program), payload()), program, run);
}

describe("poolLanes", () => {
  it("spreads the chunks of a run over its threads and puts the result together in order", async () => {
    const threads: FakeThread[] = [];
    const spawn = () => {
      const made = thread();
      threads.push(made);
      return made;
    };
    const pool = await poolLanes(await laneSimdRuntime.prepare(program), encodeProgram(program), 3, spawn);
    expect(pool.concurrency).toBe(3);
    const done: number[] = [];
    const result = await runLanes(program, pool, payload(), (lanes) => void done.push(lanes));
    expect(parseResult(result, program, run)).toEqual(await expected());
    expect(done.at(-1)).toBe(run.laneCount);
    for (const { evaluations } of threads) expect(evaluations).toBeGreaterThan(0);
    await pool.dispose();
    expect(threads.every(({ terminated }) => terminated)).toBe(true);
  });

  it("goes on without a thread that crashes in the middle", async () => {
    const threads: FakeThread[] = [];
    const spawn = () => {
      const made = thread();
      threads.push(made);
      return made;
    };
    const pool = await poolLanes(await laneSimdRuntime.prepare(program), encodeProgram(program), 2, spawn);
    const result = await runLanes(program, pool, payload(), () => threads[0]!.crash());
    expect(parseResult(result, program, run)).toEqual(await expected());
    expect(threads[0]!.terminated).toBe(true);
    await pool.dispose();
  });

  it("computes alone where no thread can start", async () => {
    const spawn = () => {
      throw new Error("no workers in workers");
    };
    const pool = await poolLanes(await laneSimdRuntime.prepare(program), encodeProgram(program), 4, spawn);
    expect(pool.concurrency).toBe(1);
    expect(parseResult(await runLanes(program, pool, payload()), program, run)).toEqual(await expected());
    await pool.dispose();
  });

  it("leaves out a thread that dies while it gets ready", async () => {
    const spawn = () => {
      const deaf = thread("is deaf");
      queueMicrotask(() => queueMicrotask(() => deaf.crash()));
      return deaf;
    };
    const pool = await poolLanes(await laneSimdRuntime.prepare(program), encodeProgram(program), 2, spawn);
    expect(pool.concurrency).toBe(1);
    await pool.dispose();
  });
});
