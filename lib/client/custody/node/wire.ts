/** A MessagePort of node:worker_threads as the calls of worker/peer.ts see it. */
import type { MessagePort, Transferable } from "node:worker_threads";
import type { Wire } from "#worker/peer.ts";

export function wireOf(port: MessagePort): Wire {
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer.filter(isTransferable)),
    addEventListener: (_type, listener) => {
      port.on("message", (data: unknown) => listener(new MessageEvent("message", { data })));
    },
  };
}

/** Browsers can transfer more kinds of things than Node; of what goes over here, all are buffers. */
function isTransferable(thing: unknown): thing is Transferable & ArrayBuffer {
  return thing instanceof ArrayBuffer;
}
