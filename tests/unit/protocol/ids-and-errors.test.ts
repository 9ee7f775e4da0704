import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, FluxError, isFluxError } from "#lib/protocol/errors.ts";
import { Digest, JobId, LeaseId, makeId } from "#lib/protocol/ids.ts";

describe("ids", () => {
  it("made ids parse as their own kind and as no other", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (random) => {
        const id = makeId("job", random);
        expect(JobId.parse(id)).toBe(id);
        expect(LeaseId.safeParse(id).success).toBe(false);
      }),
    );
  });

  it("uses five bits of every random byte: 100 bits in all", () => {
    const base = new Uint8Array(20);
    const seen = new Set([makeId("job", base)]);
    for (let byte = 0; byte < 20; byte++) {
      for (let bit = 0; bit < 5; bit++) {
        const random = base.slice();
        random[byte] = 1 << bit;
        seen.add(makeId("job", random));
      }
    }
    expect(seen.size).toBe(101);
  });

  it.each(["", "ab", "AB".repeat(32), `${"ab".repeat(31)}zz`, "../../x"])("%j is no digest", (text) => {
    expect(Digest.safeParse(text).success).toBe(false);
  });
});

describe("errors", () => {
  it.each(Object.entries(ERROR_CODES))("%s has an HTTP status and a title", (_code, entry) => {
    expect(entry.status).toBeGreaterThanOrEqual(400);
    expect(entry.status).toBeLessThan(600);
    expect(entry.title).not.toBe("");
  });

  it("are told from other errors by shape, so that another bundle's copy of the class counts", () => {
    const foreign = Object.assign(new Error("x"), { name: "FluxError", code: "not_found", detail: "x" });
    expect(isFluxError(foreign)).toBe(true);
    expect(isFluxError(new FluxError("not_found", "x"))).toBe(true);
    expect(isFluxError(Object.assign(new Error("x"), { name: "FluxError", code: "made_up" }))).toBe(false);
    expect(isFluxError(new Error("x"))).toBe(false);
    expect(isFluxError({ name: "FluxError", code: "not_found" })).toBe(false);
  });
});
