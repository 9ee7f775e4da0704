/**
 * /embed/v1.js: all that runs in a partner's page. Puts a frame from our origin after its own script tag and passes the
 * frame's events on to `window.Flux`. No cookies, no storage, no computing, no other request.
 */
import type { EmbedDetail, EmbedEvent, FrameMessage } from "./messages.ts";

type Listener = (detail: EmbedDetail) => void;

export interface FluxEmbed {
  readonly version: 1;
  /** Calls `listener` at every event of that name. @returns the function that stops it */
  on(event: EmbedEvent, listener: Listener): () => void;
}

declare global {
  interface Window {
    Flux?: FluxEmbed;
  }
}

/** CSS pixels; the frame asks for more height where its words need it. */
const SIZES = {
  badge: { width: "20rem", height: 64 },
  card: { width: "21rem", height: 250 },
  bar: { width: "100%", height: 64 },
} as const;
const HEIGHT_MAX = 480;
const EVENTS: readonly string[] = ["ready", "started", "paused", "stopped", "progress"];

const listeners = new Map<string, Set<Listener>>();

function on(event: EmbedEvent, listener: Listener): () => void {
  if (!EVENTS.includes(event)) throw new Error(`Flux has no event "${event}": use ${EVENTS.join(", ")}`);
  const some = listeners.get(event) ?? new Set();
  listeners.set(event, some.add(listener));
  return () => some.delete(listener);
}

function isWidget(name: string): name is keyof typeof SIZES {
  return Object.hasOwn ? Object.hasOwn(SIZES, name) : name in SIZES;
}

function place(script: HTMLScriptElement): void {
  const { fluxSite, widget = "", theme, maxPower, lang } = script.dataset;
  const host = new URL(script.src).origin;
  const kind = isWidget(widget) ? widget : "badge";
  const address = new URL("/embed", host);
  const asked = { site: fluxSite, widget: kind, theme, power: maxPower, lang };
  for (const [name, value] of Object.entries(asked)) if (value) address.searchParams.set(name, value);

  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.title = "Flux";
  // Says which site this is, and nothing of the page's path, whatever the page's own policy.
  frame.referrerPolicy = "origin";
  frame.allow = "cross-origin-isolated; compute-pressure; screen-wake-lock";
  // Keeps the frame from navigating this page or opening dialogs in it.
  frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox");
  const { width, height } = SIZES[kind];
  frame.style.cssText = `display:block;border:0;width:${width};max-width:100%;height:${height}px;color-scheme:normal`;
  addEventListener("message", (event: MessageEvent<FrameMessage>) => {
    if (event.origin === host && event.source === frame.contentWindow && event.data?.flux === 1)
      hear(frame, event.data);
  });
  if (script.parentElement === document.head) document.body.append(frame);
  else script.after(frame);
}

function hear(frame: HTMLIFrameElement, message: FrameMessage): void {
  if (message.event === "size") {
    frame.style.height = `${Math.min(HEIGHT_MAX, Math.max(40, message.height))}px`;
    return;
  }
  for (const listener of listeners.get(message.event) ?? []) listener(message.detail);
}

const script = document.currentScript;
if (script instanceof HTMLScriptElement) {
  window.Flux ??= { version: 1, on };
  document.dispatchEvent(new CustomEvent("flux:load"));
  if (document.body) place(script);
  else document.addEventListener("DOMContentLoaded", () => place(script));
}
