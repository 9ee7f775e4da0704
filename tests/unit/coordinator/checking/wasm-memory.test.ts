import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

it("WebAssembly memories cannot grow past the limit", () => {
  const script = `
    import { limitWasmMemory } from "./lib/coordinator/isolated/wasm-memory.ts";
    limitWasmMemory(4 * 65536);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    memory.grow(3);
    try { memory.grow(1); console.log("grew"); } catch (error) { console.log(error.name, memory.buffer.byteLength); }
  `;
  // A process of its own: the limit holds for everything that the realm loads afterwards.
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(output.trim()).toBe(`RangeError ${4 * 65536}`);
});
