/** What every REST answer shares: problems, pages, times. */
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../errors.ts";

const codes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

/** application/problem+json (RFC 9457). `detail` names the fix. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(codes),
    detail: z.string(),
    param: z.string().optional(),
    errors: z.array(z.object({ param: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;

/** Milliseconds since 1970 inside; ISO 8601 outside. */
export const Timestamp = z.iso.datetime();

export const pageQuery = <Id extends z.ZodType<string>>(id: Id) =>
  z.object({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    /** Id of the last item of the page before. */
    after: id.optional(),
  });

/** What a delete answers. */
export const Deleted = z.object({ id: z.string(), deleted: z.literal(true) });

export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({
    object: z.literal("list"),
    data: z.array(item),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  });
