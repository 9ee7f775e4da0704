/** The key-holder in a Web Worker of a real browser: the same code as on the server, node-seal's WASM fetched from this origin. */
import { expect, test } from "@playwright/test";
import type { KeyholderReport } from "../support/keyholder-worker.ts";
import { type LanePageServer, serveLanePage } from "../support/serve-lane-page.ts";

let server: LanePageServer;
test.beforeAll(async () => {
  server = await serveLanePage();
});
test.afterAll(() => server.close());

test("plans, encrypts, evaluates and decrypts in a Web Worker", async ({ page }) => {
  test.setTimeout(300_000);
  await page.goto(server.url);
  const answer = await page.evaluate(
    () =>
      new Promise<{ reports?: KeyholderReport[]; error?: string }>((resolve, reject) => {
        const worker = new Worker("/keyholder-worker.js", { type: "module" });
        worker.onmessage = (event) => resolve(event.data);
        worker.onerror = (event) => reject(new Error(event.message));
      }),
  );
  expect(answer.error).toBeUndefined();
  expect(answer.reports).toHaveLength(2);
  for (const { verdict, sameAnswers } of answer.reports ?? []) {
    expect(verdict).toBe("sane");
    expect(sameAnswers).toBeGreaterThanOrEqual(0.98);
  }
});
