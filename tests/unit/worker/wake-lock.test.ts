import { expect, test } from "vitest";
import { createWakeLock } from "#worker/host/wake-lock.ts";

/** A window whose browser lets go of the screen when the page is hidden. */
function playedWindow() {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const locks: { released: boolean; release(): Promise<void> }[] = [];
  const wakeLock = {
    async request() {
      const lock = {
        released: false,
        async release() {
          lock.released = true;
        },
      };
      locks.push(lock);
      return lock;
    },
  };
  const window: unknown = { document, navigator: { wakeLock } };
  return {
    window: window as Window,
    held: () => locks.filter(({ released }) => !released).length,
    async show(visible: boolean) {
      document.visibilityState = visible ? "visible" : "hidden";
      if (!visible) await Promise.all(locks.map((lock) => lock.release()));
      document.dispatchEvent(new Event("visibilitychange"));
      await settled();
    },
  };
}

/** Everything that waits on promises alone has run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("the screen is held while it is wanted, and again when the page is back in view", async () => {
  const { window, held, show } = playedWindow();
  const lock = createWakeLock(window);
  expect(held()).toBe(0);
  lock.want(true);
  await settled();
  expect(held()).toBe(1);
  await show(false);
  expect(held()).toBe(0);
  await show(true);
  expect(held()).toBe(1);
  lock.want(false);
  await settled();
  expect(held()).toBe(0);
});

test("a lock that comes after it is no longer wanted is let go", async () => {
  const { window, held } = playedWindow();
  const lock = createWakeLock(window);
  lock.want(true);
  lock.want(false);
  await settled();
  expect(held()).toBe(0);
});
