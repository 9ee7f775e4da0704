/** The key that receipts are checked with. */
import { ReceiptKey } from "#lib/protocol/receipts.ts";
import { openRoute, type Route } from "../route.ts";

export function receiptRoutes(key: ReceiptKey): Route[] {
  return [
    openRoute({
      method: "GET",
      path: "/receipts/key",
      operation: "getReceiptKey",
      tag: "Donors",
      summary: "The public key of this coordinator's receipts",
      description:
        "Donors get a signed receipt with each accepted microtask; lib/protocol/receipts.ts says how to check one.",
      answer: ReceiptKey,
      handle: async () => ({ value: key, headers: { "Access-Control-Allow-Origin": "*" } }),
    }),
  ];
}
