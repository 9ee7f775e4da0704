/** Pulls exact amounts out of a stream of chunks of any size, without keeping more than is asked for. */

export type ByteStream = AsyncIterable<Uint8Array<ArrayBuffer>>;

export interface ByteTaker {
  /** Up to `length` bytes; fewer only at the end of the stream. */
  take(length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** The rest, in chunks whose lengths are multiples of `multiple` (the last one may not be). */
  rest(multiple: number): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  /** Ends the stream early. */
  close(): Promise<void>;
}

export function takeFrom(stream: ByteStream): ByteTaker {
  const chunks = stream[Symbol.asyncIterator]();
  let held: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  async function pull(): Promise<boolean> {
    const next = await chunks.next();
    if (next.done) return false;
    held = held.byteLength === 0 ? next.value : joined([held, next.value]);
    return true;
  }

  function cut(length: number): Uint8Array<ArrayBuffer> {
    const bytes = held.subarray(0, length);
    held = held.subarray(length);
    return bytes;
  }

  return {
    async take(length) {
      if (held.byteLength < length) {
        const parts = [held];
        let total = held.byteLength;
        while (total < length) {
          const next = await chunks.next();
          if (next.done) break;
          parts.push(next.value);
          total += next.value.byteLength;
        }
        held = joined(parts);
      }
      return cut(Math.min(length, held.byteLength));
    },
    async *rest(multiple) {
      do {
        const whole = held.byteLength - (held.byteLength % multiple);
        if (whole > 0) yield cut(whole);
      } while (await pull());
      if (held.byteLength > 0) yield cut(held.byteLength);
    },
    async close() {
      await chunks.return?.();
    },
  };
}

export function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
