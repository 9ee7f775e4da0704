/** Answers that were decrypted in this browser, a page at a time. The records themselves are not kept: files are shown by number or id. */
import type { JobId } from "#lib/protocol/ids.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";
import { custody } from "../custody/session.ts";
import type { RecordSource } from "./records.tsx";

export function sealedRecords(job: JobId, records: number): RecordSource {
  return {
    records,
    async read(start, limit) {
      const outputs = await (await custody()).outputs(job);
      const { recordsPerBatch, members } = outputs.state;
      const tensors = members[0] ?? [];
      const end = Math.min(records, start + limit);
      const data = [];
      for (let batch = Math.floor(start / recordsPerBatch); batch * recordsPerBatch < end; batch++) {
        const first = batch * recordsPerBatch;
        const values = await outputs.read(batch, 0);
        const ids = await outputs.ids(batch);
        for (let record = Math.max(start, first); record < Math.min(end, first + recordsPerBatch); record++) {
          const row = record - first;
          data.push({
            record,
            id: ids?.[row] ?? String(record),
            label: null,
            arrays: [],
            outputs: tensors.map((tensor, index) => {
              const size = elementsPerRecord(tensor);
              return Array.from(values[index]?.subarray(row * size, (row + 1) * size) ?? []);
            }),
          });
        }
      }
      return { classes: null, data };
    },
  };
}
