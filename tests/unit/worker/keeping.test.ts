import { afterEach, expect, test, vi } from "vitest";
import { canKeep, DEFAULT_SETTINGS, keepSettings, keptSettings } from "#worker/host/keeping.ts";

afterEach(() => vi.unstubAllGlobals());

/** A browser's storage with one entry that an earlier build may have written. */
function stored(text?: string): void {
  const entries = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => entries.get(key) ?? text ?? null,
    setItem: (key: string, value: string) => entries.set(key, value),
    removeItem: (key: string) => entries.delete(key),
  });
}

const OLD = { cpuShare: 0.4, gpuShare: 0.2, pauseOnBattery: false, useRegion: false };
const cases: { name: string; text: string; expected: Partial<typeof DEFAULT_SETTINGS> }[] = [
  { name: "settings of an earlier build", text: JSON.stringify(OLD), expected: OLD },
  { name: "an hour that no clock has", text: '{"hours":{"fromHour":25,"toHour":3}}', expected: {} },
  {
    name: "memory that cannot be chosen",
    text: '{"memoryBytes":1e12,"keepAwake":true}',
    expected: { keepAwake: true },
  },
  { name: "what is no JSON", text: "{", expected: {} },
];
test.each(cases)("what is missing or out of range is the default: $name", ({ text, expected }) => {
  stored(text);
  expect(keptSettings()).toEqual({ ...DEFAULT_SETTINGS, ...expected });
});

test("what was chosen comes back", () => {
  stored();
  const chosen = { ...DEFAULT_SETTINGS, hours: { fromHour: 22, toHour: 7 }, memoryBytes: 2 ** 27, onlyWhenIdle: true };
  keepSettings(chosen);
  expect(keptSettings()).toEqual(chosen);
  expect(canKeep()).toBe(true);
});

test("without storage there are defaults", () => {
  vi.stubGlobal("localStorage", undefined);
  keepSettings({ ...DEFAULT_SETTINGS, cpuShare: 0.1 });
  expect(keptSettings()).toEqual(DEFAULT_SETTINGS);
  expect(canKeep()).toBe(false);
});
