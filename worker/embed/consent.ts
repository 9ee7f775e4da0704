/**
 * Whether a press of the start button is a person's own will. The frame stands in a page that may want to fake it: by
 * scripted events, by covering the frame with something else and letting clicks through, by moving it under the pointer, by
 * making it tiny or transparent. So a press counts only when all of this holds:
 *
 * - the event is the browser's own (`isTrusted`), and its place is inside the button;
 * - IntersectionObserver v2 has said for some time that the button is wholly visible: not covered, not transparent,
 *   not transformed or filtered by any page around (https://w3c.github.io/IntersectionObserver/v2/);
 * - the frame has stood still on the screen while the pointer was over it.
 *
 * Browsers without v2 cannot say the second: there a window of our own asks instead (confirm.ts), which no page can cover.
 */

/** Why a press did not start anything. `elsewhere`: the visitor is asked in our own window. */
export type ConsentProblem = "untrusted" | "covered" | "too-soon" | "moved" | "too-small" | "elsewhere";

export interface Press {
  readonly trusted: boolean;
  /** Where the pointer is in the frame; null for the keyboard. */
  readonly at: { readonly x: number; readonly y: number } | null;
  readonly pointer: "mouse" | "touch" | "keyboard";
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What is known of the button's sight at the moment of the press. */
export interface Sight {
  /** The browser can tell whether something covers it. */
  readonly tellsCover: boolean;
  /** Since when it has been wholly visible without a break; null: it is not. */
  readonly visibleSinceMs: number | null;
  /** Since when the frame has stood at one place on the screen, as the pointer showed; null: no pointer was seen. */
  readonly stillSinceMs: number | null;
  readonly button: Box;
}

/** Long enough to be seen and understood, short enough not to be felt. */
export const VISIBLE_MS = 800;
/** A pointer that comes to the button takes longer than this over the frame. */
export const STILL_MS = 200;
const BUTTON_MIN = { width: 64, height: 24 };

/** Null: it is consent. */
export function problemWith(press: Press, sight: Sight, nowMs: number): ConsentProblem | null {
  const { button, visibleSinceMs, stillSinceMs } = sight;
  if (!press.trusted) return "untrusted";
  if (button.right - button.left < BUTTON_MIN.width || button.bottom - button.top < BUTTON_MIN.height) {
    return "too-small";
  }
  if (press.at && !isInside(press.at, button)) return "moved";
  if (!sight.tellsCover) return "elsewhere";
  if (visibleSinceMs === null) return "covered";
  if (nowMs - visibleSinceMs < VISIBLE_MS) return "too-soon";
  if (press.pointer === "mouse" && (stillSinceMs === null || nowMs - stillSinceMs < STILL_MS)) return "moved";
  return null;
}

function isInside({ x, y }: { x: number; y: number }, box: Box): boolean {
  return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
}

/** Fields of version 2 that TypeScript's library does not have yet. */
type VisibilityEntry = IntersectionObserverEntry & { readonly isVisible?: boolean };
interface VisibilityOptions extends IntersectionObserverInit {
  trackVisibility: boolean;
  delay: number;
}

/** Screen coordinates come in whole pixels, page coordinates in fractions. */
const STILL_PIXELS = 2;

export interface SightWatch {
  read(): Sight;
}

/** Watches the button from now on; cheap enough to go on for the life of the frame. */
export function watchSight(button: HTMLElement, nowMs: () => number): SightWatch {
  const tellsCover = "isVisible" in IntersectionObserverEntry.prototype;
  let visibleSinceMs: number | null = null;
  let still: { x: number; y: number; sinceMs: number } | null = null;

  if (tellsCover) {
    const options: VisibilityOptions = { trackVisibility: true, delay: 100, threshold: [0, 0.5, 0.99, 1] };
    new IntersectionObserver((entries) => {
      const last: VisibilityEntry | undefined = entries.at(-1);
      const visible = last?.isVisible === true && last.intersectionRatio >= 0.99;
      visibleSinceMs = visible ? (visibleSinceMs ?? nowMs()) : null;
    }, options).observe(button);
  }
  document.addEventListener("visibilitychange", () => {
    visibleSinceMs = null;
  });

  // The frame's corner on the screen, as every real movement of the pointer shows it.
  const notice = (event: PointerEvent): void => {
    if (!event.isTrusted) return;
    const x = event.screenX - event.clientX;
    const y = event.screenY - event.clientY;
    if (still && Math.abs(still.x - x) <= STILL_PIXELS && Math.abs(still.y - y) <= STILL_PIXELS) return;
    still = { x, y, sinceMs: nowMs() };
  };
  for (const type of ["pointermove", "pointerdown", "pointerup"] as const) {
    document.addEventListener(type, notice, { capture: true });
  }
  document.documentElement.addEventListener("pointerleave", () => {
    still = null;
  });

  return {
    read: () => ({
      tellsCover,
      visibleSinceMs,
      stillSinceMs: still?.sinceMs ?? null,
      button: button.getBoundingClientRect(),
    }),
  };
}

export function pressOf(event: MouseEvent): Press {
  // A click of the keyboard has no place and no count.
  if (event.detail === 0) return { trusted: event.isTrusted, at: null, pointer: "keyboard" };
  const touch = "pointerType" in event && event.pointerType === "touch";
  return { trusted: event.isTrusted, at: { x: event.clientX, y: event.clientY }, pointer: touch ? "touch" : "mouse" };
}
