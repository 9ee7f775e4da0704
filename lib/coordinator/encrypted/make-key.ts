/** A job's secret key, made in a thread: SEAL is not loaded where requests are served. */
import { z } from "zod";
import type { KeyholderPlan } from "#lib/lanes/plan.ts";
import { runIsolated } from "../isolated/run.ts";

const TASK = new URL("../isolated/make-key.ts", import.meta.url);

export async function makeKey(plan: KeyholderPlan): Promise<Uint8Array> {
  const limits = {
    timeMs: 60_000,
    heapMiB: 256,
    onLimit: { code: "unavailable", detail: "Making a key took too long. Try again." },
  } as const;
  return z.instanceof(Uint8Array).parse(await runIsolated(TASK, { plan }, limits));
}
