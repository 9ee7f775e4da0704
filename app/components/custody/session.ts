"use client";
/**
 * This page's key-holder: one worker, and the jobs that it sees through. Lives as long as the document: moving from the new
 * job to its page keeps it, closing the tab stops encrypting (nothing is lost).
 */
import { useSyncExternalStore } from "react";
import { type BrowserCustody, type CustodyProgress, openBrowserCustody } from "#lib/client/custody/browser/custody.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { errorText, fluxClient } from "../client.ts";

export interface SealedRun {
  readonly phase: "running" | "done" | "stopped";
  readonly progress: CustodyProgress | null;
  /** Why it stopped, and what to do. */
  readonly problem: string | null;
}

let opened: Promise<BrowserCustody> | undefined;
const runs = new Map<JobId, SealedRun>();
const listeners = new Set<() => void>();

export function custody(): Promise<BrowserCustody> {
  opened ??= openBrowserCustody({ client: fluxClient() });
  return opened;
}

/** Stops what the worker does (a plan that nobody wants any more). Never while a job runs. */
export async function restartCustody(): Promise<BrowserCustody> {
  const before = await custody();
  if (![...runs.values()].some(({ phase }) => phase === "running")) await before.close();
  return before;
}

/** Encrypts, uploads and decrypts until the job is done. Again for a job that runs: nothing. */
export function startRun(job: JobId): void {
  if (runs.get(job)?.phase === "running") return;
  change(job, { phase: "running", progress: null, problem: null });
  addEventListener("beforeunload", askBeforeLeaving);
  custody()
    .then((holder) =>
      holder.run(job, { onProgress: (progress) => change(job, { phase: "running", progress, problem: null }) }),
    )
    .then(() => change(job, { phase: "done", progress: runs.get(job)?.progress ?? null, problem: null }))
    .catch((error: unknown) => {
      change(job, { phase: "stopped", progress: runs.get(job)?.progress ?? null, problem: errorText(error) });
    })
    .finally(() => removeEventListener("beforeunload", askBeforeLeaving));
}

export function useSealedRun(job: JobId): SealedRun | null {
  return useSyncExternalStore(
    subscribe,
    () => runs.get(job) ?? null,
    () => null,
  );
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function change(job: JobId, run: SealedRun): void {
  runs.set(job, run);
  for (const listener of listeners) listener();
}

function askBeforeLeaving(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
