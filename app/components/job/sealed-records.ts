/** Answers that were decrypted in this browser, a page at a time. The records themselves are not kept: files are shown by number or id. */
import type { DecryptedOutputs, SealedAnswers } from "#lib/client/custody/browser/custody.ts";
import { recordsOf } from "#lib/client/custody/results.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";
import { custody } from "../custody/session.ts";
import type { RecordSource } from "./records.tsx";

export function sealedRecords(job: JobId, records: number): RecordSource {
  // Combining may mean fitting: once, not for every page of the table.
  let answers: Promise<SealedAnswers> | undefined;
  return {
    records,
    async read(start, limit) {
      const holder = await custody();
      answers ??= holder.answers(job).catch((error: unknown) => {
        // Not everything may be decrypted yet: the next look tries again.
        answers = undefined;
        throw error;
      });
      const { source, read } = await answers;
      const count = Math.min(records, start + limit) - start;
      const values = await read(start, count);
      const ids = await idsOf(await holder.outputs(job), start, count);
      const data = Array.from({ length: count }, (_, row) => ({
        record: start + row,
        id: ids[row] ?? String(start + row),
        label: null,
        arrays: [],
        outputs: source.outputs.map((tensor, index) => {
          const size = elementsPerRecord(tensor);
          return Array.from(values[index]?.subarray(row * size, (row + 1) * size) ?? []);
        }),
      }));
      return { classes: null, data };
    },
  };
}

async function idsOf(outputs: DecryptedOutputs, start: number, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let batch = 0; batch < outputs.state.batches && found.length < count; batch++) {
    const own = recordsOf(outputs.state, batch);
    if (own.start + own.count <= start) continue;
    const ids = await outputs.ids(batch);
    found.push(...(ids ?? []).slice(Math.max(0, start - own.start), start + count - own.start));
  }
  return found;
}
