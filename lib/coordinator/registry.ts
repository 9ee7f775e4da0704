/**
 * How Next's views reach the coordinator. The custom server and the views are bundled apart, so a module's variable is
 * not shared between them: the one running coordinator stands on `globalThis` instead. Types only are imported here, so
 * that no view's bundle pulls in the server's code.
 */
import type { Coordinator } from "./coordinator.ts";

const KEY = Symbol.for("flux.coordinator");

const shelf: { [KEY]?: Coordinator } & object = globalThis;

export function registerCoordinator(coordinator: Coordinator | undefined): void {
  if (coordinator) shelf[KEY] = coordinator;
  else delete shelf[KEY];
}

/** For views, which only ever run inside the custom server. */
export function coordinator(): Coordinator {
  const running = shelf[KEY];
  if (!running) throw new Error("No coordinator runs in this process: start it with `npm start` or `npm run dev`");
  return running;
}
