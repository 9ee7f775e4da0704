/** What a submitter chose about the data, as the requests that read it. */
import type { z } from "zod";
import type { IngestSettings } from "#lib/client/custody/engine-calls.ts";
import type { CreateDataset } from "#lib/protocol/api/uploads.ts";
import { ColumnUse, type Preprocessing } from "#lib/protocol/datasets.ts";
import type { FileId } from "#lib/protocol/ids.ts";

export interface DataChoices {
  /** Column → feature, label, id or ignore; only those that were changed. */
  readonly roles: Readonly<Record<string, string>>;
  /** Divide bytes by 255. */
  readonly scaleBytes: boolean;
}

export const NO_CHOICES: DataChoices = { roles: {}, scaleBytes: false };

export function datasetRequest(fileId: FileId, choices: DataChoices): z.input<typeof CreateDataset> {
  const preprocessing = preprocessingOf(choices);
  return { file_id: fileId, ...(preprocessing ? { preprocessing } : {}) };
}

/** The same for the reader in this browser. */
export function ingestSettings(choices: DataChoices): IngestSettings {
  const preprocessing = preprocessingOf(choices);
  return preprocessing ? { preprocessing } : {};
}

function preprocessingOf({ roles, scaleBytes }: DataChoices): Preprocessing | null {
  const columns = Object.entries(roles).flatMap(([name, role]) => {
    const use = ColumnUse.safeParse(role);
    return use.success ? [{ name, use: use.data }] : [];
  });
  if (columns.length === 0 && !scaleBytes) return null;
  return {
    version: 1,
    ...(columns.length > 0 ? { columns } : {}),
    ...(scaleBytes ? { scale: 1 / 255 } : {}),
  };
}
