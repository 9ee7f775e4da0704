/** What every blob store and object store must do. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isFluxError } from "#lib/protocol/errors.ts";
import { Digest } from "#lib/protocol/ids.ts";
import { type BlobStore, ObjectName, type ObjectStore } from "#lib/storage/objects.ts";

export interface OpenedObjects {
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  /** Number of unfinished uploads that still take room. */
  leftovers(): Promise<number>;
  dispose(): Promise<void>;
}

const collect = async (stream: AsyncIterable<Uint8Array>) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (isFluxError(error) ? error.code : String(error)),
  );

export function objectsContract(name: string, open: () => Promise<OpenedObjects>): void {
  describe(`blobs and objects on ${name}`, () => {
    let opened: OpenedObjects;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.dispose());

    it("gives back what was put, whole and by ranges, under its SHA-256", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.uint8Array({ maxLength: 5_000 }), { maxLength: 5 }),
          fc.nat(),
          fc.nat(),
          async (chunks, a, b) => {
            const whole = Buffer.concat(chunks);
            const { digest, bytes } = await opened.blobs.put(chunks);
            expect(digest).toBe(createHash("sha256").update(whole).digest("hex"));
            expect(bytes).toBe(whole.byteLength);
            expect(await opened.blobs.stat(digest)).toEqual({ digest, bytes });
            const offset = a % (bytes + 1);
            const range = { offset, bytes: b % (bytes - offset + 1) };
            const expected = whole.subarray(offset, offset + range.bytes);
            expect(expected.equals(await opened.blobs.read(digest, range))).toBe(true);
            expect(expected.equals(await collect(opened.blobs.stream(digest, range)))).toBe(true);
            expect(whole.equals(await opened.blobs.read(digest))).toBe(true);
          },
        ),
        { numRuns: 20 },
      );
    });

    it("keeps nothing of an upload that is too large or breaks off", async () => {
      async function* breaking() {
        yield new Uint8Array(10);
        throw new Error("the connection broke");
      }
      expect(await codeOf(opened.blobs.put([new Uint8Array(8), new Uint8Array(8)], { maxBytes: 15 }))).toBe(
        "payload_too_large",
      );
      expect(await codeOf(opened.blobs.put(breaking()))).toContain("the connection broke");
      expect(await opened.leftovers()).toBe(0);
    });

    it("answers not_found and out-of-range by code", async () => {
      const absent = Digest.parse("0".repeat(64));
      const { digest } = await opened.blobs.put([new Uint8Array(10)]);
      expect(await codeOf(opened.blobs.read(absent))).toBe("not_found");
      expect(await codeOf(collect(opened.blobs.stream(absent)))).toBe("not_found");
      expect(await opened.blobs.stat(absent)).toBeUndefined();
      expect(await codeOf(opened.blobs.read(digest, { offset: 5, bytes: 6 }))).toBe("invalid_request");
      expect(await codeOf(opened.blobs.read(digest, { offset: -1, bytes: 2 }))).toBe("invalid_request");
      expect(await opened.blobs.remove(digest)).toBe(true);
      expect(await opened.blobs.remove(digest)).toBe(false);
    });

    it("shows an object only when its writer is closed, and replaces it whole", async () => {
      const object = ObjectName.parse("batches/stg_x/0");
      const writer = await opened.objects.create(object);
      await writer.append(new Uint8Array([1, 2]));
      expect(await opened.objects.stat(object)).toBeUndefined();
      await writer.append(new Uint8Array([3]));
      expect(await writer.close()).toEqual({ bytes: 3 });
      expect([...(await opened.objects.read(object, { offset: 1, bytes: 2 }))]).toEqual([2, 3]);
      const dropped = await opened.objects.create(object);
      await dropped.append(new Uint8Array(100));
      await dropped.abort();
      await opened.objects.put(object, new Uint8Array([7]));
      expect([...(await opened.objects.read(object))]).toEqual([7]);
      expect(await opened.leftovers()).toBe(0);
    });

    it("deletes by prefix, and only that", async () => {
      const names = ["results/stg_a/mt_1.1", "results/stg_a/mt_2.1", "results/stg_ab/mt_1.1"].map((n) =>
        ObjectName.parse(n),
      );
      for (const object of names) await opened.objects.put(object, new Uint8Array([1]));
      await opened.objects.removeAll(ObjectName.parse("results/stg_a"));
      await opened.objects.removeAll(ObjectName.parse("results/never"));
      expect(await Promise.all(names.map((object) => opened.objects.stat(object)))).toEqual([
        undefined,
        undefined,
        { bytes: 1 },
      ]);
    });

    it("has no names that leave its folder", () => {
      const hostile = [
        "../x",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        ".hidden",
        "a\\b",
        "A",
        "a\0b",
        "",
        "a/./b",
        "x".repeat(300),
      ];
      for (const text of hostile) expect([text, ObjectName.safeParse(text).success]).toEqual([text, false]);
    });
  });
}
