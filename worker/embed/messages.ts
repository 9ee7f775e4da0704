/** What the frame tells the page around it. Nothing is said the other way: a host page cannot start, stop or change a donor. */

export type EmbedEvent = "ready" | "started" | "paused" | "stopped" | "progress";

export interface EmbedDetail {
  /** Accepted microtasks of this visit. */
  microtasks: number;
  /** Share of the device that may be used, 0..1; 0 while nothing runs. */
  share: number;
  /** For `paused` and `stopped`: why, as a short code; null where the visitor stopped it. */
  reason: string | null;
}

/** As posted; `flux` is the version of this form. */
export type FrameMessage =
  | { flux: 1; event: EmbedEvent; detail: EmbedDetail }
  | { flux: 1; event: "size"; height: number };
