/** The receiving end of webhooks: keeps what came, answers what it is told to, and lets tests wait for the next delivery. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly port: number;
  /** What the next requests are answered with; 200 when the list is used up. */
  readonly answers: number[];
  readonly received: readonly Received[];
  /** Resolves with the n-th delivery (from 1) that comes. */
  readonly nth: (n: number) => Promise<Received>;
  readonly close: () => Promise<void>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const answers: number[] = [];
  const waiting = new Map<number, (delivery: Received) => void>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const delivery = { path: request.url ?? "", headers: plain(request.headers), body };
    received.push(delivery);
    response.writeHead(answers.shift() ?? 200).end();
    waiting.get(received.length)?.(delivery);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    answers,
    received,
    nth: (n) => {
      const already = received[n - 1];
      if (already) return Promise.resolve(already);
      return new Promise((resolve) => waiting.set(n, resolve));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value ? [[name, String(value)]] : [])));
}
