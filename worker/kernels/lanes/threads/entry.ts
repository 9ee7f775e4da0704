/** The lane thread: a worker of the compute worker that evaluates chunks of lanes and nothing else. */
import { serveLaneThread } from "./serve.ts";

serveLaneThread({
  postMessage: (message, transfer) => postMessage(message, { transfer }),
  addEventListener: (type, listener) => addEventListener(type, listener),
});
