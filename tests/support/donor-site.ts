/**
 * A site for the donor alone, in front of a scripted coordinator: the built workers and WASM files under the real security
 * headers, and an empty page that holds a donor in `window.donor`. For tests of workers and kernels without the whole server.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { resolve } from "node:path";
import { build } from "esbuild";
import { securityHeaders } from "#lib/coordinator/http/security-headers.ts";
import { type FakeCoordinator, startFakeCoordinator } from "./fake-coordinator.ts";
import { publicFile } from "./public-files.ts";

const root = resolve(import.meta.dirname, "../..");
export async function startDonorSite(): Promise<FakeCoordinator> {
  const host = await bundleHost();
  return startFakeCoordinator({ serve: (request, response) => void serve(request, response, host) });
}

async function serve(request: IncomingMessage, response: ServerResponse, host: string): Promise<void> {
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  const asPage = path === "/host.js" ? "/donate" : path;
  const headers = securityHeaders({ path: asPage, nonce: "test", dev: false, frameAncestors: [], https: false });
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (path === "/donate") {
    response.setHeader("Content-Type", "text/html");
    response.end(`<!doctype html><title>donor</title><script nonce="test" src="/host.js"></script>`);
  } else if (path === "/host.js") {
    response.setHeader("Content-Type", "text/javascript");
    response.end(host);
  } else {
    await publicFile(path, response);
  }
}

/** The page's side of the donor as one script: `window.donor` and every view it showed. */
async function bundleHost(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { createDonor } from "#worker/host/donor.ts";
        window.donor = createDonor({ origin: location.origin });
      `,
      resolveDir: root,
    },
    bundle: true,
    format: "iife",
    write: false,
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}
