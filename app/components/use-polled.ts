"use client";
/** Something of the API that stays up to date by asking again; rests while nobody looks. */
import { useEffect, useState } from "react";
import type { z } from "zod";
import { call } from "./api.ts";

export interface Polled<Value> {
  readonly value: Value;
  /** False since the last question went unanswered. */
  readonly connected: boolean;
}

/** @param final says of a value that it will not change any more */
export function usePolled<Value>(
  path: string,
  schema: z.ZodType<Value>,
  initial: Value,
  everyMs: number,
  final: (value: Value) => boolean = () => false,
): Polled<Value> {
  const [polled, setPolled] = useState<Polled<Value>>({ value: initial, connected: true });
  const ended = final(polled.value);
  useEffect(() => {
    if (ended) return;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      if (!document.hidden) {
        try {
          const value = schema.parse(await call(path, { signal: gone.signal }));
          if (!gone.signal.aborted) setPolled({ value, connected: true });
        } catch {
          if (!gone.signal.aborted) setPolled(({ value }) => ({ value, connected: false }));
        }
      }
      if (!gone.signal.aborted) timer = setTimeout(ask, everyMs);
    };
    timer = setTimeout(ask, everyMs);
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [path, schema, everyMs, ended]);
  return polled;
}
