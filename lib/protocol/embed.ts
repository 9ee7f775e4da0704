/** What loader, frame and coordinator share about the embed: its variants, and the facts that the frame's document carries. */
import { z } from "zod";

export const Widget = z.enum(["badge", "card", "bar"]);
export type Widget = z.infer<typeof Widget>;
export const Theme = z.enum(["auto", "light", "dark"]);
export type Theme = z.infer<typeof Theme>;
export const Language = z.enum(["en", "de", "fr", "es", "zh"]);
export type Language = z.infer<typeof Language>;

/** Share of the device, in percent, where the partner sets none. */
export const EMBED_POWER_PERCENT = 25;

/**
 * Why the frame may not start: its key is unknown, revoked or replaced; the page around it is not one of the site's; or the
 * browser does not say which page that is.
 */
export const EmbedRefusal = z.enum(["unknown-key", "foreign-origin", "no-referrer"]);
export type EmbedRefusal = z.infer<typeof EmbedRefusal>;

const Admitted = z.object({
  siteKey: z.string(),
  siteName: z.string(),
  /** Of the page around the frame. */
  origin: z.string(),
  /** For the coordinator at hello; opaque to the frame. */
  ticket: z.string(),
});

export const EmbedFacts = z.intersection(
  z.object({
    widget: Widget,
    language: Language,
    /** Most of the device that may be used, 0..1: the partner's setting. */
    power: z.number().min(0.01).max(1),
  }),
  z.union([
    z.object({ admitted: Admitted, refusal: z.null() }),
    z.object({ admitted: z.null(), refusal: EmbedRefusal }),
  ]),
);
export type EmbedFacts = z.infer<typeof EmbedFacts>;

/** The confirming window's facts. */
export const ConfirmFacts = z.object({ site: z.string().nullable(), language: Language });
export type ConfirmFacts = z.infer<typeof ConfirmFacts>;
