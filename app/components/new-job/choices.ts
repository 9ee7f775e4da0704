/** What a submitter chose about the data, as the request that reads it again. */
import type { z } from "zod";
import type { CreateDataset } from "#lib/protocol/api/uploads.ts";
import { ColumnUse } from "#lib/protocol/datasets.ts";
import type { FileId } from "#lib/protocol/ids.ts";

export interface DataChoices {
  /** Column → feature, label, id or ignore; only those that were changed. */
  readonly roles: Readonly<Record<string, string>>;
  /** Divide bytes by 255. */
  readonly scaleBytes: boolean;
}

export const NO_CHOICES: DataChoices = { roles: {}, scaleBytes: false };

export function datasetRequest(fileId: FileId, choices: DataChoices): z.input<typeof CreateDataset> {
  const columns = Object.entries(choices.roles).flatMap(([name, role]) => {
    const use = ColumnUse.safeParse(role);
    return use.success ? [{ name, use: use.data }] : [];
  });
  return {
    file_id: fileId,
    ...(choices.scaleBytes ? { scale: 1 / 255 } : {}),
    ...(columns.length > 0 ? { preprocessing: { version: 1, columns } } : {}),
  };
}
