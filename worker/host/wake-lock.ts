/**
 * Keeps the screen awake while this tab donates, where the visitor asked for it. The browser lets go of the lock whenever the
 * page is hidden, so it is asked for again when the page is back in view.
 */
export interface WakeLock {
  want(wanted: boolean): void;
}

type WakeWindow = Pick<Window, "navigator" | "document">;

export function canKeepAwake({ navigator }: WakeWindow): boolean {
  return "wakeLock" in navigator;
}

export function createWakeLock(window: WakeWindow): WakeLock {
  const { document, navigator } = window;
  let wanted = false;
  let asking = false;
  let held: WakeLockSentinel | null = null;

  async function settle(): Promise<void> {
    if (asking) return;
    if (!wanted) {
      const letGo = held;
      held = null;
      await letGo?.release();
    } else if (canKeepAwake(window) && document.visibilityState === "visible" && (held === null || held.released)) {
      asking = true;
      // Refused, e.g. to save the battery: the screen goes dark as usual, and donating goes on.
      held = await navigator.wakeLock.request("screen").catch(() => null);
      asking = false;
      if (!wanted) await settle();
    }
  }

  document.addEventListener("visibilitychange", () => void settle());
  return {
    want(next) {
      if (next === wanted) return;
      wanted = next;
      void settle();
    },
  };
}
