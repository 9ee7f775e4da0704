/** A partner's site: one page with the embed's script tag, on another site than the coordinator (127.0.0.1 beside localhost). */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface PartnerSite {
  readonly origin: string;
  close(): Promise<void>;
}

export interface PartnerPage {
  /** Attributes of the script tag. */
  readonly tag: Readonly<Record<string, string>>;
  /** More of the page: styles, things that cover the frame, scripts. */
  readonly extra?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param page what is served at a path; asked at every request */
export async function startPartnerSite(page: (path: string) => PartnerPage): Promise<PartnerSite> {
  const server = createServer((request, response) => {
    const { tag, extra = "", headers = {} } = page(request.url ?? "/");
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const attributes = Object.entries(tag).map(([name, value]) => `${name}="${value}"`);
    response.end(`<!doctype html><html lang="en"><title>Garden birds</title>
      <body style="margin:24px;font:16px sans-serif">
      <h1>Garden birds</h1>
      <script>
        document.cookie = "partner=secret";
        window.heard = [];
        document.addEventListener("flux:load", () => {
          for (const name of ["ready", "started", "paused", "stopped", "progress"])
            window.Flux.on(name, (detail) => window.heard.push({ name, ...detail }));
        });
      </script>
      <main><script async ${attributes.join(" ")}></script></main>
      ${extra}</body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
