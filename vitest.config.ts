import { defineConfig } from "vitest/config";

/** Unit, contract and simulation tests run in Node; tests/e2e belongs to Playwright (playwright.config.ts). */
export default defineConfig({
  test: {
    include: ["tests/unit/**/*.test.ts", "tests/contract/**/*.test.ts", "tests/simulation/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
