/**
 * A memory limit for WebAssembly in this thread. A thread's `resourceLimits` bound its JavaScript heap only; a model's
 * tensors live in WASM memory, whose modules ask for a maximum of 4 GiB. Call it before a runtime is loaded: memories that
 * are made afterwards cannot grow past the limit, and the runtime fails with its own out-of-memory error.
 */

const PAGE_BYTES = 64 * 1024;

export function limitWasmMemory(maxBytes: number): void {
  const maxPages = Math.floor(maxBytes / PAGE_BYTES);
  const { Memory } = WebAssembly;
  class LimitedMemory extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super({ ...descriptor, maximum: Math.min(descriptor.maximum ?? maxPages, maxPages) });
    }
  }
  WebAssembly.Memory = LimitedMemory;
}
