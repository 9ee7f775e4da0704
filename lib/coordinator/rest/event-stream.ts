/**
 * Server-sent events of one job. Durable events (its changes of status) carry ids, so that Last-Event-ID takes up where a
 * connection broke; between them comes the job as it is now, at most every half second while something changes.
 */
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import type { JobEventRecord } from "#lib/storage/records.ts";

export interface JobFeed {
  readonly current: () => Promise<JobResource>;
  readonly eventsAfter: (id: number) => Promise<readonly JobEventRecord[]>;
  /** @returns the function that stops watching */
  readonly watch: (listener: () => void) => () => void;
  readonly signal: AbortSignal;
  readonly lastEventId: number;
}

const NOT_OFTENER_THAN_MS = 500;
/** Proxies cut connections that are silent for a minute; rates and estimates move even when nothing is accepted. */
const AT_LEAST_EVERY_MS = 5_000;
const ENDED: readonly string[] = ["completed", "failed", "canceled"];

export async function* jobEventStream(feed: JobFeed): AsyncGenerator<string> {
  let lastId = feed.lastEventId;
  let changed: () => void = () => {};
  let dirty = true;
  const stop = feed.watch(() => {
    dirty = true;
    changed();
  });
  try {
    yield "retry: 2000\n\n";
    while (!feed.signal.aborted) {
      dirty = false;
      for (const event of await feed.eventsAfter(lastId)) {
        lastId = event.id;
        yield frame("status", { status: event.type, at: new Date(event.createdAtMs).toISOString() }, event.id);
      }
      const job = await feed.current();
      yield frame("job", job);
      if (ENDED.includes(job.status)) return;
      await pause(NOT_OFTENER_THAN_MS, feed.signal);
      if (!dirty) {
        const woken = new Promise<void>((resolve) => {
          changed = resolve;
        });
        await Promise.race([woken, pause(AT_LEAST_EVERY_MS, feed.signal)]);
      }
    }
  } finally {
    stop();
  }
}

function frame(event: string, data: unknown, id?: number): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
