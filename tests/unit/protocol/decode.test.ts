import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeInput, type InputDecoding } from "#lib/protocol/decode.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";

function decoding(overrides: Partial<InputDecoding>): InputDecoding {
  const stored = { name: "x", dtype: "UINT8" as const, shape: [4] };
  return { stored, model: { ...stored, dtype: "FP32" }, scale: 1, offset: 0, ...overrides };
}

test("pixels over 255 are the float32 nearest to the quotient, all 256 of them", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const values = decodeInput(decoding({ scale: 1 / 255 }), bytes, 64);
  expect(values).toEqual(Float32Array.from(bytes, (value) => value / 255));
});

test("one entry per leading channel, per column, and one for all agree with the definition", () => {
  const numbers = fc.double({ min: -1e3, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 12, maxLength: 12 }),
      fc.array(numbers, { minLength: 2, maxLength: 2 }),
      fc.array(numbers, { minLength: 2, maxLength: 2 }),
      fc.constantFrom(1, 3),
      (bytes, scale, offset, inner) => {
        const stored = { name: "x", dtype: "UINT8" as const, shape: [2, 3] };
        const values = decodeInput({ stored, model: { ...stored, dtype: "FP32" }, scale, offset, inner }, bytes, 2);
        bytes.forEach((value, i) => {
          const entry = Math.floor((i % 6) / inner) % 2;
          expect(values[i]).toBe(Math.fround(value * scale[entry]! + offset[entry]!));
        });
      },
    ),
  );
});

test("integers pass into integer inputs, 64 bits too", () => {
  const int64 = { name: "x", dtype: "INT64" as const, shape: [4] };
  expect(decodeInput(decoding({ model: int64 }), new Uint8Array([1, 2, 3, 255]), 1)).toEqual(
    new BigInt64Array([1n, 2n, 3n, 255n]),
  );
  const wide = new BigInt64Array([-1n, 2n, 2n ** 53n, 0n]);
  const stored = { stored: int64, model: { ...int64, dtype: "FP32" as const } };
  expect(decodeInput(decoding({ ...stored, scale: 2 }), new Uint8Array(wide.buffer), 1)).toEqual(
    new Float32Array([-2, 4, 2 ** 54, 0]),
  );
});

test("bytes that lie unaligned decode the same", () => {
  const stored = { name: "x", dtype: "FP32" as const, shape: [1] };
  const bytes = new Uint8Array(9);
  bytes.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), 1);
  expect(decodeInput(decoding({ stored, model: stored }), bytes.subarray(1), 2)).toEqual(new Float32Array([1.5, -2]));
});

test("a length that does not fit the records is refused", () => {
  expect(() => decodeInput(decoding({}), new Uint8Array(7), 2)).toThrow(/7 stored elements where 2 records have 8/);
});

test("memory of an earlier batch is written anew for a batch that fits it", () => {
  const input = decoding({ scale: 2 });
  const width = elementsPerRecord(input.stored);
  const bytes = Uint8Array.from({ length: 3 * width }, (_, i) => i);
  const first = decodeInput(input, bytes, 3);
  const second = decodeInput(input, bytes.slice(width), 2, first);
  expect(second.buffer).toBe(first.buffer);
  expect(second).toEqual(decodeInput(input, bytes.slice(width), 2));
  expect(decodeInput(input, bytes, 3, second).buffer).not.toBe(first.buffer);
});
