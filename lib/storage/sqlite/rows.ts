/** Row shapes that several statements share. */
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "#lib/protocol/errors.ts";
import { DonorId, MicrotaskId, StageId } from "#lib/protocol/ids.ts";

export const MicrotaskRow = z.object({
  id: MicrotaskId,
  stageId: StageId,
  batch: z.number(),
  prime: z.number(),
  unitStart: z.number(),
  unitCount: z.number(),
  state: z.enum(["pending", "accepted", "quarantined"]),
  fence: z.number(),
  failures: z.number(),
});

export const RefusalRow = z.object({
  microtaskId: MicrotaskId,
  stageId: StageId,
  donorId: DonorId,
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  createdAtMs: z.number(),
});
