/** The assembler's numbers, read back by the platform's own decoder. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assembleModule,
  type Code,
  doWhile,
  FunctionBuilder,
  get,
  i32,
  i32x4,
  sequence,
  set,
  shuffle,
  v128,
  when,
} from "#worker/kernels/lanes/wasm/assembler.ts";

const memory = new WebAssembly.Memory({ initial: 1 });
const words = new Int32Array(memory.buffer);

/** Runs one function without parameters on the memory. */
async function run(body: (f: FunctionBuilder) => Code): Promise<void> {
  const builder = new FunctionBuilder([]);
  const bytes = assembleModule([{ builder, body: body(builder), exportName: "run" }]);
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
  const { run: exported } = instance.exports;
  if (typeof exported !== "function") throw new Error("nothing was exported");
  exported();
}

describe("the assembler", () => {
  it("encodes every int32 constant as the platform decodes it", async () => {
    const edges = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)];
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.integer(), fc.constantFrom(...edges)), async (value) => {
        await run(() => i32.store(i32.const(16), 0, i32.const(value)));
        expect(words[4]).toBe(value);
      }),
      { numRuns: 100 },
    );
  });

  it("encodes memory offsets of any size", async () => {
    for (const offset of [0, 4, 124, 128, 16_380, 16_384, 65_532]) {
      await run(() => i32.store(i32.const(0), offset, i32.const(offset + 7)));
      expect(words[offset / 4]).toBe(offset + 7);
    }
  });

  it("repeats, branches and keeps its locals apart", async () => {
    // Σ of the odd numbers below 10, counted in one local and summed in another.
    await run((f) => {
      const i = f.local("i32");
      const sum = f.local("i32");
      return sequence(
        doWhile(
          sequence(
            when(i32.and(get(i), i32.const(1)), set(sum, i32.add(get(sum), get(i)))),
            set(i, i32.add(get(i), i32.const(1))),
          ),
          i32.ltU(get(i), i32.const(10)),
        ),
        i32.store(i32.const(0), 0, get(sum)),
      );
    });
    expect(words[0]).toBe(25);
  });

  it("takes a shuffle's lanes from both operands", async () => {
    words.set([1, 2, 3, 4, 5, 6, 7, 8], 0);
    const lanes = [28, 29, 30, 31, 0, 1, 2, 3, 16, 17, 18, 19, 12, 13, 14, 15];
    await run(() =>
      v128.store(
        i32.const(64),
        0,
        i32x4.add(shuffle(v128.load(i32.const(0)), v128.load(i32.const(16)), lanes), i32x4.splat(i32.const(100))),
      ),
    );
    expect([...words.subarray(16, 20)]).toEqual([108, 101, 105, 104]);
  });
});
