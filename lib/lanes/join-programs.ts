/**
 * Joins the lane programs of an ensemble to one. Members read the same ciphertexts, so a donor that runs all of them on a
 * lane downloads it once: the joined program's values are the members' values side by side, its products are theirs.
 *
 *     values:  [a … | b … | c …]        matrices and groups: one list after the other, with moved indices
 *     outputs: [a … | b … | c …]        a member's outputs begin at its `firstOutput`
 *
 * Programs join where their steps are of the same kinds. A square that carries values multiplies them by its program's own scale,
 * so programs with carried values stay alone.
 */
import { LANE_LIMITS } from "./limits.ts";
import type { AffineGroup, AffineStep, LaneProgram, LaneStep, SquareStep } from "./program.ts";

export interface JoinedProgram {
  readonly program: LaneProgram;
  /** Indices of the programs that it computes, and where the outputs of each begin. */
  readonly members: readonly { readonly index: number; readonly firstOutput: number }[];
}

/** Joins what can be joined, in order; programs that fit no other come back as they are. All have one ring and one number of inputs. */
export function joinPrograms(programs: readonly LaneProgram[]): JoinedProgram[] {
  const groups: number[][] = [];
  programs.forEach((program, index) => {
    const group = groups.find((members) => fits([...members.map((m) => programs[m]!), program]));
    if (group) group.push(index);
    else groups.push([index]);
  });
  return groups.map((indices) => {
    const parts = indices.map((index) => programs[index]!);
    const firsts = firstsOf(parts.map(({ outputs }) => outputs));
    return {
      program: parts.length === 1 ? parts[0]! : join(parts),
      members: indices.map((index, i) => ({ index, firstOutput: firsts[i]! })),
    };
  });
}

function fits(programs: readonly LaneProgram[]): boolean {
  const [first] = programs;
  const matrices = programs.reduce((sum, program) => sum + program.matrices.length, 0);
  if (!first || matrices > LANE_LIMITS.maxMatrices) return false;
  if (programs.reduce((sum, program) => sum + weights(program), 0) > LANE_LIMITS.maxProgramBytes / 2) return false;
  return first.steps.every((step, at) => {
    const steps = programs.map(({ steps }) => steps[at]);
    if (programs.some((program) => program.steps.length !== first.steps.length)) return false;
    if (step.kind === "square") return steps.every((other) => other?.kind === "square" && other.carried === 0);
    const affine = steps.filter((other) => other?.kind === "affine");
    return (
      affine.length === programs.length &&
      affine.reduce((sum, { outputs }) => sum + outputs, 0) <= LANE_LIMITS.maxWidth &&
      affine.reduce((sum, { groups }) => sum + groups.length, 0) <= LANE_LIMITS.maxGroups
    );
  });
}

function weights(program: LaneProgram): number {
  return program.matrices.reduce((sum, { k, m, digits }) => sum + k * m * digits.length, 0);
}

function join(programs: readonly LaneProgram[]): LaneProgram {
  const [first] = programs;
  if (!first) throw new Error("there is nothing to join");
  const firstMatrix = firstsOf(programs.map(({ matrices }) => matrices.length));
  const steps = first.steps.map((step, at): LaneStep => {
    if (step.kind === "square") return joinSquares(programs.map(({ steps }) => asSquare(steps[at])));
    return joinAffine(
      programs.map(({ steps }) => asAffine(steps[at])),
      firstMatrix,
      // The first step of every member reads the same features.
      at === 0,
    );
  });
  return {
    version: 1,
    ring: first.ring,
    inputs: first.inputs,
    outputs: programs.reduce((sum, { outputs }) => sum + outputs, 0),
    polysOut: first.polysOut,
    matrices: programs.flatMap(({ matrices }) => matrices),
    steps,
  };
}

function joinAffine(steps: readonly AffineStep[], firstMatrix: readonly number[], sharedInputs: boolean): AffineStep {
  const firstInput = sharedInputs ? steps.map(() => 0) : firstsOf(steps.map(({ inputs }) => inputs));
  const firstOutput = firstsOf(steps.map(({ outputs }) => outputs));
  const outputs = steps.reduce((sum, step) => sum + step.outputs, 0);
  return {
    kind: "affine",
    inputs: sharedInputs ? steps[0]!.inputs : steps.reduce((sum, { inputs }) => sum + inputs, 0),
    outputs,
    groups: steps.flatMap(({ groups }, member) =>
      groups.map(
        (group): AffineGroup => ({
          inputIndex: moved(group.inputIndex, firstInput[member]!),
          matrix: group.matrix + firstMatrix[member]!,
          outputIndex: moved(group.outputIndex, firstOutput[member]!),
        }),
      ),
    ),
    bias: steps[0]!.bias.map((_, prime) => {
      const row = new Uint32Array(outputs);
      steps.forEach(({ bias }, member) => {
        row.set(bias[prime]!, firstOutput[member]!);
      });
      return row;
    }),
  };
}

/** Nothing is carried, so the factor that carried values would get does not matter. */
function joinSquares(steps: readonly SquareStep[]): SquareStep {
  const width = steps.reduce((sum, step) => sum + step.width, 0);
  return { kind: "square", width, carried: 0, carryFactor: steps[0]!.carryFactor };
}

/** −1 stands for padding or a dropped column and stays. */
function moved(index: Int32Array, by: number): Int32Array {
  return by === 0 ? index : index.map((at) => (at < 0 ? at : at + by));
}

/** Where each of several runs begins that lie one after another. */
function firstsOf(lengths: readonly number[]): number[] {
  let next = 0;
  return lengths.map((length) => {
    const first = next;
    next += length;
    return first;
  });
}

function asAffine(step: LaneStep | undefined): AffineStep {
  if (step?.kind !== "affine") throw new Error("programs with different steps do not join");
  return step;
}

function asSquare(step: LaneStep | undefined): SquareStep {
  if (step?.kind !== "square") throw new Error("programs with different steps do not join");
  return step;
}
