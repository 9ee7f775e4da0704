import { expect, test } from "vitest";
import type { Environment } from "#worker/environment.ts";
import { type DeviceFacts, deviceWords } from "#worker/host/device-words.ts";
import { CAPABILITY } from "./loop/harness.ts";

const STRONG: Environment = {
  crossOriginIsolated: true,
  logicalCores: 8,
  webGpu: true,
  cacheStorage: true,
  subtleCrypto: true,
  deviceMemoryGiB: 8,
};
const [wasm, webGpu] = CAPABILITY.runtimes;

const cases: { name: string; environment?: Partial<Environment>; facts?: Partial<DeviceFacts>; expected: string[] }[] =
  [
    { name: "a strong device", expected: [] },
    { name: "memory that is not told", environment: { deviceMemoryGiB: null }, expected: [] },
    { name: "no WebGPU", environment: { webGpu: false }, expected: ["No WebGPU"] },
    {
      name: "a graphics card that computes wrongly",
      facts: { capability: { ...CAPABILITY, runtimes: [webGpu!] } },
      expected: ["No WebGPU here"],
    },
    {
      name: "WebGPU without a card",
      facts: { capability: { ...CAPABILITY, runtimes: [wasm!] } },
      expected: ["No WebGPU here"],
    },
    { name: "no isolation", environment: { crossOriginIsolated: false }, expected: ["No threads"] },
    { name: "two cores", environment: { logicalCores: 2 }, expected: ["One thread"] },
    { name: "no caches", environment: { cacheStorage: false }, expected: ["No storage"] },
    { name: "no storage", facts: { keeps: false }, expected: ["No storage"] },
    { name: "a 2 GB phone", environment: { deviceMemoryGiB: 2 }, expected: ["2 GB of memory"] },
    { name: "a hidden tab", facts: { visible: false }, expected: ["Hidden tab"] },
    {
      name: "an old phone in a private window",
      environment: { webGpu: false, crossOriginIsolated: false, cacheStorage: false, deviceMemoryGiB: 1 },
      facts: { keeps: false },
      expected: ["No WebGPU", "No threads", "No storage", "1 GB of memory"],
    },
  ];

test.each(cases)("$name", ({ environment, facts, expected }) => {
  const words = deviceWords({
    environment: { ...STRONG, ...environment },
    keeps: true,
    visible: true,
    capability: null,
    ...facts,
  });
  expect(words.map(({ name }) => name)).toEqual(expected);
  for (const { meaning, why } of words) expect(meaning).not.toBe(why);
});
