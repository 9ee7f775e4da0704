/**
 * The lane results of one computed batch and member, as one stream that can be read by ranges: every accepted result as its donor sent it (it
 * says itself which lanes it holds), then what the coordinator computed of lanes that no donor got right.
 */
import type { ObjectName, ObjectStore } from "#lib/storage/objects.ts";
import type { ResultRecord, StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";

export interface LaneResults {
  readonly bytes: number;
  stream(start: number, end: number): AsyncGenerator<Uint8Array>;
}

/** Rows read at once; each may carry some ten kilobytes. */
const PAGE = 256;

export async function laneResults(
  store: Store,
  objects: ObjectStore,
  stage: StageRecord,
  batch: number,
  computed: ObjectName | null,
): Promise<LaneResults> {
  let bytes = 0;
  for await (const result of resultsOf(store, stage, batch)) bytes += sizeOf(result);
  const donors = bytes;
  const own = computed ? ((await objects.stat(computed))?.bytes ?? 0) : 0;
  return {
    bytes: donors + own,
    async *stream(start, end) {
      let at = 0;
      for await (const result of resultsOf(store, stage, batch)) {
        const size = sizeOf(result);
        const [from, to] = [Math.max(start - at, 0), Math.min(end - at, size)];
        at += size;
        if (from >= to) continue;
        const { body } = result;
        yield body.kind === "inline"
          ? body.data.subarray(from, to)
          : await objects.read(body.name, { offset: from, bytes: to - from });
      }
      const [from, to] = [Math.max(start - donors, 0), Math.min(end - donors, own)];
      if (computed && from < to) yield* objects.stream(computed, { offset: from, bytes: to - from });
    },
  };
}

export async function* resultsOf(store: Store, stage: StageRecord, batch: number): AsyncGenerator<ResultRecord> {
  let after: ResultRecord | undefined;
  for (;;) {
    const page = await store.work.results(stage.id, { batch, limit: PAGE, ...(after ? { after } : {}) });
    yield* page;
    after = page.at(-1);
    if (!after || page.length < PAGE) return;
  }
}

function sizeOf({ body }: ResultRecord): number {
  return body.kind === "inline" ? body.data.byteLength : body.bytes;
}
