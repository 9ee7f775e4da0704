/** The loop worker: wires the donor loop to this browser. Started by the page after a person's consent. */
import { systemClock } from "../clock.ts";
import { readEnvironment } from "../environment.ts";
import type { PageToLoop } from "../messages.ts";
import { openArtefacts, sha256Hex } from "./artefacts.ts";
import { type ComputeWorker, createComputeHost } from "./compute-host.ts";
import { createDonorLoop } from "./donor-loop.ts";
import { openLink } from "./link.ts";

/** 1 MiB of noise beside the WASM files. */
const PROBE_PATH = "/wasm/probe.bin";

const environment = readEnvironment();

const loop = createDonorLoop({
  clock: systemClock,
  openLink,
  openArtefacts: (origin, onDownload) =>
    openArtefacts({
      origin,
      fetch: (input, init) => fetch(input, init),
      caches: environment.cacheStorage ? caches : null,
      sha256: sha256Hex,
      onDownload,
    }),
  createComputeHost: (options) => createComputeHost({ ...options, spawn: spawnCompute }),
  measureDownload,
  send: (message) => postMessage(message),
});

addEventListener("message", (event: MessageEvent<PageToLoop>) => loop.handle(event.data));

/** A worker of this worker: the page is not asked, so a busy page cannot hold up a replacement. */
function spawnCompute(): ComputeWorker {
  const worker = new Worker(new URL("./compute.js", import.meta.url), { type: "module", name: "flux-compute" });
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    addEventListener: (_type, listener) => worker.addEventListener("message", listener),
    terminate: () => worker.terminate(),
    onCrash(listener) {
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        listener(event.message || "The compute worker could not start");
      });
    },
  };
}

async function measureDownload(origin: string): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(origin + PROBE_PATH, { cache: "no-store" });
  const { byteLength } = await response.arrayBuffer();
  return response.ok ? (byteLength * 1_000) / Math.max(1, performance.now() - startMs) : 0;
}
