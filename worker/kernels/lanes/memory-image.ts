/** Collects what a WebAssembly memory is to hold, then builds it in one allocation of the right size. */

const PAGE_BYTES = 65_536;
const ALIGNMENT = 16;
/** Vector loads at the end of an array may reach past it. */
const SLACK_BYTES = 64;

export class MemoryImage {
  private end = ALIGNMENT;
  private readonly parts: { readonly at: number; readonly content: Uint8Array }[] = [];

  /** Bytes taken so far. */
  get bytes(): number {
    return this.end + SLACK_BYTES;
  }

  /** Room for `bytes` zero bytes; returns their offset, a multiple of 16. */
  reserve(bytes: number): number {
    const at = this.end;
    this.end = at + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return at;
  }

  /** Room with content. */
  add(content: Uint8Array | Int32Array | Int16Array): number {
    const at = this.reserve(content.byteLength);
    this.parts.push({ at, content: new Uint8Array(content.buffer, content.byteOffset, content.byteLength) });
    return at;
  }

  build(): WebAssembly.Memory {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(this.bytes / PAGE_BYTES) });
    const target = new Uint8Array(memory.buffer);
    for (const { at, content } of this.parts) target.set(content, at);
    return memory;
  }
}
