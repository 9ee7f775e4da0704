import { defineConfig } from "vitest/config";

/** Unit, contract and simulation tests run in Node; tests/e2e belongs to Playwright (playwright.config.ts). */
export default defineConfig({
  test: {
    include: ["tests/unit/**/*.test.ts", "tests/contract/**/*.test.ts", "tests/simulation/**/*.test.ts"],
    // Against tests that hang, not a promise of speed: some seconds of honest work are minutes on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // How long is waited for what has to come, not how soon it must: the default of a second is a matter of load.
    expect: { poll: { timeout: 30_000 } },
    maxWorkers: 2,
  },
});
