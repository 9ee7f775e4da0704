/** The key-holder's thread in a browser (`/worker/keyholder.js`, built by worker/assets.ts). Records stay in its memory. */
import { browserDecoders } from "#lib/dataset/browser/decoders.ts";
import { memorySections } from "#lib/dataset/sections.ts";
import { serveEngine } from "../engine.ts";

serveEngine(
  {
    postMessage: (message, transfer) => self.postMessage(message, { transfer }),
    addEventListener: (type, listener) => self.addEventListener(type, listener),
  },
  {
    decoders: browserDecoders,
    makeSections: async () => memorySections(),
    wasmUrl: new URL("/wasm/seal_throws.wasm", self.location.origin).href,
  },
);
