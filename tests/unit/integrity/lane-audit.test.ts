import { beforeAll, describe, expect, it } from "vitest";
import { laneAuditVerdict, lanesToAudit, passProbability } from "#lib/integrity/lane-audit.ts";
import { type AuditedResult, auditLanes, packedLanes } from "#lib/lanes/audit.ts";
import {
  encodeResult,
  laneBytes,
  packLanes,
  parsePayload,
  parseResult,
  parseResultLanes,
  payloadHeader,
} from "#lib/lanes/block.ts";
import type { LaneEvaluator } from "#lib/lanes/evaluator.ts";
import { scatteredMasksNode } from "#lib/lanes/mask-node.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { limbPlanes } from "#tests/support/lanes.ts";
import { buildProgram, randomResidues, seeded } from "#tests/unit/lanes/arbitrary.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";

const LANES = 1000;
const random = seeded(11);
const seed = Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256));
const program: LaneProgram = buildProgram({
  seed: 5,
  bits: [31, 28],
  widths: [9, 6, 5, 3],
  squares: 2,
  digits: 1,
  extreme: false,
  groups: 2,
  carried: false,
});

let evaluator: LaneEvaluator;
/** An honest donor's run of each prime. */
let honest: { run: LaneRun; body: Uint8Array; residues: Uint32Array; bytes: Uint8Array }[];

beforeAll(async () => {
  evaluator = await laneSimdRuntime.prepare(program);
  honest = await Promise.all(
    program.ring.primes.map((_, primeIndex) => computeRun({ primeIndex, firstLane: 24, laneCount: LANES })),
  );
});

async function computeRun(run: LaneRun) {
  const q = program.ring.primes[run.primeIndex]!;
  const lanes = Array.from({ length: run.laneCount }, () => randomResidues(program.inputs, q, random));
  const header = payloadHeader(program.ring, program.inputs, run, seed);
  const payload = new Uint8Array(header.length + run.laneCount * laneBytes(q, program.inputs));
  payload.set(header);
  packLanes(limbPlanes(lanes, q), q, program.inputs, payload.subarray(header.length));
  const bytes = await runLanes(program, evaluator, payload);
  const { body } = parsePayload(payload, program.ring, program.inputs);
  return { run, body, bytes, residues: parseResult(bytes, program, run) };
}

function audited(primeIndex: number, lanes: readonly number[], residues = honest[primeIndex]!.residues): AuditedResult {
  const { run, body } = honest[primeIndex]!;
  const packed = packedLanes(body, program.ring.primes[primeIndex]!, program.inputs, lanes);
  const result = encodeResult(program, run, residues);
  return { run, seed, lanes, packed, residues: parseResultLanes(result, program, run, lanes) };
}

const audit = (...results: AuditedResult[]) => auditLanes(program, evaluator, scatteredMasksNode, results);

/** `count` different lanes. */
function sample(count: number): number[] {
  const all = Array.from({ length: LANES }, (_, lane) => lane);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (LANES - i));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all.slice(0, count);
}

/** Residues with one value of each of these lanes changed. */
function tampered(primeIndex: number, lanes: readonly number[]): Uint32Array {
  const residues = honest[primeIndex]!.residues.slice();
  const perLane = residues.length / LANES;
  const q = program.ring.primes[primeIndex]!;
  for (const lane of lanes) {
    const at = lane * perLane + Math.floor(random() * perLane);
    residues[at] = (residues[at]! + 1 + Math.floor(random() * (q - 1))) % q;
  }
  return residues;
}

describe("auditLanes", () => {
  it("finds nothing in honest results, many of them and more lanes than an evaluator takes at once", async () => {
    const results = Array.from({ length: 9 }, (_, i) => audited(i % 2, sample(80)));
    expect(await audit(...results)).toEqual(results.map(() => []));
  });

  it("names exactly the wrong lanes of each result", async () => {
    const wrong = [3, 500, 999];
    const clean = audited(1, [3, 500]);
    expect(await audit(audited(0, [999, 4, 3], tampered(0, wrong)), clean)).toEqual([[999, 3], []]);
  });

  it("always finds a constant added to every lane, with one lane", async () => {
    for (const primeIndex of [0, 1]) {
      const q = program.ring.primes[primeIndex]!;
      for (const constant of [1, 2, (q - 1) / 2, q - 1]) {
        const shifted = honest[primeIndex]!.residues.map((value) => (value + constant) % q);
        for (const lane of sample(100)) expect(await audit(audited(primeIndex, [lane], shifted))).toEqual([[lane]]);
      }
    }
  });

  it("lets a donor that changes 5 % of its lanes pass 60 lanes as often as the formula says: at most one try in twenty", async () => {
    const residues = tampered(0, sample(LANES / 20));
    const tries = 1500;
    let passed = 0;
    for (let i = 0; i < tries; i++) {
      const [wrong] = await audit(audited(0, sample(60), residues));
      if (laneAuditVerdict(60, wrong!).accepted) passed++;
    }
    const expected = passProbability(LANES, LANES / 20, 60);
    expect(expected).toBeLessThanOrEqual(0.05);
    expect(passed / tries).toBeLessThanOrEqual(0.05);
    // Three standard deviations of a binomial share.
    expect(Math.abs(passed / tries - expected)).toBeLessThan(3 * Math.sqrt((expected * (1 - expected)) / tries));
  });

  it("refuses an audit that contradicts itself", async () => {
    const good = audited(0, [1, 2]);
    const cases: AuditedResult[] = [
      { ...good, lanes: [1] },
      { ...good, lanes: [1, LANES] },
      { ...good, lanes: [1, -1] },
      { ...good, lanes: [1, 2, 3] },
      { ...good, residues: good.residues.subarray(1) },
      { ...good, run: { ...good.run, primeIndex: 2 } },
    ];
    for (const item of cases) await expect(audit(item)).rejects.toSatisfy(isFluxError);
  });
});

describe("lanesToAudit", () => {
  const newcomer = { accepted: 0, refused: 0 };
  const trusted = { accepted: 1000, refused: 0 };
  const cases = [
    { name: "a newcomer's first result", laneCount: 1300, history: newcomer, expected: 60 },
    { name: "after one accepted result", laneCount: 1300, history: { accepted: 1, refused: 0 }, expected: 32 },
    { name: "after three accepted results", laneCount: 1300, history: { accepted: 3, refused: 0 }, expected: 12 },
    {
      name: "one in a hundred for a trusted donor, in whole turns of the kernel",
      laneCount: 1300,
      history: trusted,
      expected: 12,
    },
    { name: "never fewer than one turn", laneCount: 50, history: trusted, expected: 4 },
    { name: "all of a tiny result", laneCount: 1, history: trusted, expected: 1 },
    { name: "a donor that was refused once", laneCount: 1300, history: { accepted: 1000, refused: 1 }, expected: 60 },
    { name: "no more than there are", laneCount: 20, history: newcomer, expected: 20 },
  ];
  it.each(cases)("$name: $expected of $laneCount", ({ laneCount, history, expected }) => {
    expect(lanesToAudit(laneCount, history)).toBe(expected);
  });
});

describe("laneAuditVerdict", () => {
  it("accepts what matched and refuses the rest without naming a lane", () => {
    expect(laneAuditVerdict(13, [])).toEqual({ accepted: true, auditedLanes: 13 });
    const verdict = laneAuditVerdict(13, [777]);
    expect(verdict).toMatchObject({ accepted: false, error: { code: "audit_failed" } });
    if (!verdict.accepted) expect(verdict.error.detail).not.toContain("777");
  });
});
