/** Signs a browser in as the server's first tenant, without clicking. */
import type { BrowserContext } from "playwright-core";
import type { ServerProcess } from "./server-process.ts";

export async function signInWithKey(context: BrowserContext, { url, apiKey }: ServerProcess): Promise<void> {
  const response = await context.request.post(`${url}/api/v1/session`, { data: { key: apiKey } });
  if (!response.ok()) throw new Error(`signing in was answered ${response.status()}: ${await response.text()}`);
}
