import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ReceiptBook } from "#lib/coordinator/receipts/receipt-book.ts";
import { openSigningKey } from "#lib/coordinator/receipts/signing-key.ts";
import { Receipt, type ReceiptClaim } from "#lib/protocol/receipts.ts";
import { freshId } from "#lib/storage/ids.ts";
import { isReceiptGenuine } from "#worker/host/receipts.ts";

const folder = mkdtempSync(join(tmpdir(), "flux-receipts-"));
afterAll(() => rmSync(folder, { recursive: true }));
const key = await openSigningKey(folder);
const book = new ReceiptBook(key);
const claim = (units: number): ReceiptClaim => ({
  donor: freshId("don"),
  microtask: freshId("mt"),
  job: freshId("job"),
  units,
  accepted_at: new Date(0).toISOString(),
});

it.each([1, 2, 3, 7, 64, 100])(
  "signs %i claims of one commit at once, each with a receipt that stands alone",
  async (count) => {
    const claims = Array.from({ length: count }, (_, index) => claim(index + 1));
    const receipts = await Promise.all(claims.map((one) => book.issue(one)));
    expect(new Set(receipts.map(({ signature }) => signature)).size).toBe(1);
    for (const [index, receipt] of receipts.entries()) {
      expect(JSON.parse(Receipt.parse(receipt).claim)).toEqual(claims[index]);
      expect(await isReceiptGenuine(receipt, key.publicKey)).toBe(true);
    }
  },
);

it("gives no receipt that could be changed, moved or signed by another", async () => {
  const [one, two] = await Promise.all([book.issue(claim(1)), book.issue(claim(2))]);
  const raised = { ...one!, claim: one!.claim.replace('"units":1', '"units":9') };
  const moved = { ...one!, path: two!.path };
  const later = { ...one!, signature: (await book.issue(claim(3))).signature };
  for (const forged of [raised, moved, later]) expect(await isReceiptGenuine(forged, key.publicKey)).toBe(false);
  const foreign = await openSigningKey(mkdtempSync(join(tmpdir(), "flux-receipts-")));
  expect(await isReceiptGenuine(one!, foreign.publicKey)).toBe(false);
  expect(await isReceiptGenuine(one!, { ...foreign.publicKey, kid: key.publicKey.kid })).toBe(false);
});

it("keeps its key over restarts, for its own user alone", async () => {
  expect((await openSigningKey(folder)).publicKey).toEqual(key.publicKey);
  expect(statSync(join(folder, "receipts-key.pem")).mode & 0o077).toBe(0);
});
