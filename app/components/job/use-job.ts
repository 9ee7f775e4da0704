"use client";
/** A job that stays up to date: server-sent events, which reconnect by themselves. */
import { useCallback, useEffect, useState } from "react";
import { JobResource } from "#lib/protocol/api/jobs.ts";
import { call } from "../api.ts";

export interface LiveJob {
  readonly job: JobResource;
  /** False while the connection is being made again. */
  readonly connected: boolean;
  /** Asks for the job as it is now; for changes after its end. */
  readonly refresh: () => Promise<JobResource>;
}

const ENDED = new Set(["completed", "failed", "canceled"]);

export function useJob(initial: JobResource): LiveJob {
  const [job, setJob] = useState(initial);
  const [connected, setConnected] = useState(true);
  const { events } = initial.urls;
  const ended = ENDED.has(job.status);

  useEffect(() => {
    if (ended) return;
    const source = new EventSource(events);
    source.addEventListener("open", () => setConnected(true));
    source.addEventListener("error", () => setConnected(false));
    source.addEventListener("job", (event) => {
      const next = JobResource.safeParse(JSON.parse(event.data));
      if (next.success) setJob(next.data);
    });
    return () => source.close();
  }, [events, ended]);

  const { self } = initial.urls;
  const refresh = useCallback(async () => {
    const next = JobResource.parse(await call(self));
    setJob(next);
    return next;
  }, [self]);
  return { job, connected: connected || ended, refresh };
}
