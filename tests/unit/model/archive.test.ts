import { strToU8, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { unpackModelFiles } from "#lib/model/archive.ts";
import { type ErrorCode, isFluxError } from "#lib/protocol/errors.ts";
import { cpuMs } from "#tests/support/cpu-time.ts";

const honest = { "model.json": strToU8("{}"), "shards/a.bin": new Uint8Array(3000).map((_, i) => i * 7) };

const refusals: readonly { name: string; bytes: () => Uint8Array; code: ErrorCode; says: RegExp }[] = [
  { name: "not a zip", bytes: () => strToU8("PK but no archive"), code: "model_unreadable", says: /empty|read/ },
  {
    name: "cut short",
    bytes: () => zipSync(honest, { level: 9 }).slice(0, 200),
    code: "model_unreadable",
    says: /cut short|invalid zip data/,
  },
  {
    name: "a bomb: 60 MB of zeros",
    bytes: () => zipSync({ "a.bin": new Uint8Array(60_000_000) }),
    code: "model_too_large",
    says: /times its size/,
  },
  {
    name: "too many entries",
    bytes: () => zipSync(Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`f${i}`, new Uint8Array(1)]))),
    code: "model_too_large",
    says: /entries/,
  },
  {
    name: "a climbing name",
    bytes: () => zipSync({ "../../etc/passwd": new Uint8Array(1) }),
    code: "model_unreadable",
    says: /\.\.\/\.\./,
  },
  {
    name: "an absolute name",
    bytes: () => zipSync({ "/etc/passwd": new Uint8Array(1) }),
    code: "model_unreadable",
    says: /etc/,
  },
  {
    name: "a backslash",
    bytes: () => zipSync({ "a\\..\\b": new Uint8Array(1) }),
    code: "model_unreadable",
    says: /entry/,
  },
];

describe("unpackModelFiles", () => {
  test("gives back what was packed, stored or deflated", () => {
    for (const level of [0, 9] as const) {
      expect(Object.fromEntries(unpackModelFiles(zipSync(honest, { level })))).toEqual(honest);
    }
  });

  test("an archive inside an archive is a file like any other", () => {
    const inner = zipSync(honest);
    expect(unpackModelFiles(zipSync({ "inner.zip": inner })).get("inner.zip")).toEqual(inner);
  });

  test.each(refusals.map((refusal) => [refusal.name, refusal] as const))("refuses %s", (_, { bytes, code, says }) => {
    const archive = bytes();
    const before = cpuMs();
    try {
      unpackModelFiles(archive);
    } catch (error) {
      if (!isFluxError(error)) throw error;
      expect({ code: error.code, detail: error.detail }).toEqual({ code, detail: expect.stringMatching(says) });
      expect(cpuMs() - before).toBeLessThan(2000);
      return;
    }
    throw new Error("was accepted");
  });
});
