/**
 * A Chromium with one page and almost nothing attached: only expressions are evaluated in it. Playwright and Puppeteer
 * watch the network, and the browser then copies every WebSocket frame to them as base64, on the very threads that are measured.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { CHROMIUM_FLAGS, findChromium } from "#lib/client/chromium.ts";

export interface PlainBrowser {
  readonly pid: number;
  /** The value of an expression in the page; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>;
  close(): Promise<void>;
}

const Targets = z.array(z.object({ type: z.string(), url: z.string(), webSocketDebuggerUrl: z.string() }));
const Reply = z.object({
  id: z.number().optional(),
  result: z
    .object({
      result: z.object({ value: z.unknown().optional() }),
      exceptionDetails: z.looseObject({ text: z.string() }).optional(),
    })
    .optional(),
});

export async function openPlainBrowser(url: string): Promise<PlainBrowser> {
  const profile = mkdtempSync(join(tmpdir(), "flux-browser-"));
  const flags = ["--headless=new", "--disable-gpu", "--remote-debugging-port=0", `--user-data-dir=${profile}`, url];
  const child = spawn(findChromium() ?? "chromium", [...CHROMIUM_FLAGS, ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const endpoint = await debuggerEndpoint(child);
  const socket = new WebSocket(await pageOf(endpoint));
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  const waiting = new Map<number, (reply: z.infer<typeof Reply>) => void>();
  socket.addEventListener("message", ({ data }) => {
    const reply = Reply.parse(JSON.parse(String(data)));
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  let nextId = 1;
  async function evaluate(expression: string): Promise<unknown> {
    const id = nextId++;
    const params = { expression, awaitPromise: true, returnByValue: true };
    const reply = await new Promise<z.infer<typeof Reply>>((resolve) => {
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method: "Runtime.evaluate", params }));
    });
    waiting.delete(id);
    if (!reply.result) throw new Error("The page that was asked is gone");
    if (reply.result.exceptionDetails) throw new Error(JSON.stringify(reply.result.exceptionDetails));
    return reply.result.result.value;
  }
  // The first document of a tab is an empty one, and what is asked of it is thrown away with it.
  const isThere = `document.readyState === "complete" && location.href.startsWith("http")`;
  while (!(await evaluate(isThere).catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    pid: child.pid ?? 0,
    evaluate,
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      socket.close();
      child.kill();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function debuggerEndpoint(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error("The browser's output is not piped");
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /DevTools listening on ws:\/\/([^/]+)\//.exec(line)?.[1];
    if (found) {
      child.stderr.resume();
      return found;
    }
  }
  throw new Error("The browser ended before it was ready");
}

async function pageOf(endpoint: string): Promise<string> {
  for (;;) {
    const targets = Targets.parse(await (await fetch(`http://${endpoint}/json/list`)).json());
    const page = targets.find(({ type, url }) => type === "page" && url.startsWith("http"));
    if (page) return page.webSocketDebuggerUrl;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
