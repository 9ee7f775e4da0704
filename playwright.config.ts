import { defineConfig } from "@playwright/test";
import { CHROMIUM_FLAGS } from "./tests/support/browser.ts";
import { findChromium } from "./tests/support/chromium.ts";

/** Browser tests on the machine's own Chromium; each test starts the servers that it needs. */
export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results/playwright",
  timeout: 120_000,
  workers: 1,
  forbidOnly: process.env.CI === "true",
  use: {
    launchOptions: { executablePath: findChromium() ?? "chromium", args: [...CHROMIUM_FLAGS] },
    trace: "off",
  },
});
