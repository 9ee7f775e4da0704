/**
 * Lane results of one batch and program → ciphertexts.
 *
 * Results arrive run by run in any order; each is parsed (fixed size, every residue below its prime) before its residues are
 * placed. When every lane of every prime is there, each output is one ciphertext of `polysOut` polynomials.
 */
import { parseResult } from "#lib/lanes/block.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { FluxError } from "#lib/protocol/errors.ts";

/** Collects the lane results of one batch and program. */
export class ResultAssembler {
  readonly program: LaneProgram;
  /** `[output]` arrays `[poly][prime][lane]`. */
  private readonly ciphertexts: readonly Int32Array[];
  /** `[prime][lane]` 1 where a result has been placed. */
  private readonly placed: Uint8Array;

  constructor(program: LaneProgram) {
    this.program = program;
    const { ring, polysOut, outputs } = program;
    const size = polysOut * ring.primes.length * ring.n;
    this.ciphertexts = Array.from({ length: outputs }, () => new Int32Array(size));
    this.placed = new Uint8Array(ring.primes.length * ring.n);
  }

  /** Places a donor's result for exactly this run. Throws FluxError("result_malformed"). */
  add(run: LaneRun, bytes: Uint8Array): void {
    this.addResidues(run, parseResult(bytes, this.program, run));
  }

  /** Places residues `[lane][poly][output]` that are known to be below their prime. */
  addResidues(run: LaneRun, residues: Uint32Array): void {
    const { ring, polysOut, outputs } = this.program;
    for (let lane = 0; lane < run.laneCount; lane++) {
      const at = run.firstLane + lane;
      for (let poly = 0; poly < polysOut; poly++) {
        const to = (poly * ring.primes.length + run.primeIndex) * ring.n + at;
        const from = (lane * polysOut + poly) * outputs;
        for (let output = 0; output < outputs; output++) this.ciphertexts[output]![to] = residues[from + output]!;
      }
    }
    const start = run.primeIndex * ring.n + run.firstLane;
    this.placed.fill(1, start, start + run.laneCount);
  }

  get missingLanes(): number {
    return this.placed.reduce((missing, placed) => missing + (placed === 0 ? 1 : 0), 0);
  }

  /** One output's ciphertext `[poly][prime][lane]`. */
  ciphertext(output: number): Int32Array {
    if (this.missingLanes > 0) {
      throw new FluxError(
        "ciphertext_invalid",
        `${this.missingLanes} lanes of this batch have no accepted result yet.`,
      );
    }
    return this.ciphertexts[output]!;
  }
}
