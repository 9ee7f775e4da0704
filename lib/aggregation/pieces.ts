/** The pieces that a record is cut into, as the meta-model sees them. */
import { z } from "zod";

/** One piece of a record: all of it, a window, or a tile. */
export const Piece = z.object({
  /** Centre relative to the record, −1..1 across and down. */
  position: z.tuple([z.number(), z.number()]),
  /** Share of the record's values that it holds. */
  coverage: z.number(),
});
export type Piece = z.infer<typeof Piece>;

/** In the order of their units: unit `record · pieces + piece` of a job is one piece. */
export const Pieces = z.array(Piece).min(1);

export const WHOLE: Piece = { position: [0, 0], coverage: 1 };

/** @param segments where each lies along the cut axes, 0 to 1 (lib/dataset/segments.ts); null for whole records */
export function piecesOf(
  segments: readonly { readonly position: readonly number[]; readonly coverage: number }[] | null,
): Piece[] {
  if (!segments) return [WHOLE];
  return segments.map(({ position, coverage }) => {
    const [down, across] = position.length === 2 ? position : [0.5, position[0]];
    return { position: [2 * (across ?? 0.5) - 1, 2 * (down ?? 0.5) - 1], coverage };
  });
}
