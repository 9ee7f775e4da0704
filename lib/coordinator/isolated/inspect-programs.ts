/** Task: reads lane programs that a key-holder compiled itself. Everything that sizes are worked out from is checked here. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { laneCost } from "#lib/lanes/compile/cost.ts";
import { SECURITY_BITS_128 } from "#lib/lanes/limits.ts";
import { bitLength } from "#lib/lanes/primes.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { serveTask } from "./task.ts";

const Input = z.object({ paths: z.array(z.string()).min(1) });

await serveTask(async (raw) => {
  const files: Uint8Array[] = [];
  for (const path of Input.parse(raw).paths) files.push(await readFile(path));
  const programs = files.map((bytes) => decodeProgram(bytes));
  const [first, ...others] = programs;
  if (!first) throw new Error("a job has at least one program");
  const { ring, inputs } = first;
  for (const other of others) {
    if (other.ring.n !== ring.n || other.ring.primes.join() !== ring.primes.join() || other.inputs !== inputs) {
      throw new FluxError(
        "invalid_request",
        "The programs of one job must read the same ciphertexts: compile its models together.",
        { param: "sealed.programs" },
      );
    }
  }
  const bits = ring.primes.reduce((sum, q) => sum + bitLength(q), 0);
  const allowed = SECURITY_BITS_128[ring.n] ?? 0;
  if (bits > allowed) {
    throw new FluxError(
      "plan_impossible",
      `A ring of degree ${ring.n} carries at most ${allowed} bits at 128-bit security, the program's primes have ${bits}. Compile the model again.`,
      { param: "sealed.programs" },
    );
  }
  return {
    ring: { n: ring.n, primes: [...ring.primes] },
    features: inputs,
    cost: laneCost(ring, inputs, programs),
    members: programs.map((program, member) => ({
      programBytes: Uint8Array.from(files[member] ?? []),
      outputs: program.outputs,
      polysOut: program.polysOut,
      squares: program.steps.filter(({ kind }) => kind === "square").length,
    })),
  };
});
