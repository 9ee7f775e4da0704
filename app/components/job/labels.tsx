"use client";
/** Labels by clicking: gathered in the page, sent together, and fitted to by the server as the results' next version. */
import { useState } from "react";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { errorText, fluxClient } from "../client.ts";
import { Button } from "../ui/button.tsx";
import { showToast } from "../ui/toast.tsx";
import type { Labelling, PendingLabel } from "./records.tsx";

export interface Labels extends Labelling {
  readonly sending: boolean;
  readonly send: () => Promise<void>;
}

const ASK_EVERY_MS = 700;
const ASK_TIMES = 30;

export function useLabels(job: JobResource, refresh: () => Promise<JobResource>): Labels {
  const [pending, setPending] = useState<ReadonlyMap<number, PendingLabel>>(new Map());
  const [sending, setSending] = useState(false);

  async function send() {
    setSending(true);
    try {
      const labels = [...pending].map(([record, { recordId, label }]) => ({
        record: recordId === String(record) ? record : recordId,
        label,
      }));
      const kept = await fluxClient().giveFeedback(job.id, { labels, replace: true });
      setPending(new Map());
      showToast({
        title: `${labels.length} ${labels.length === 1 ? "label" : "labels"} kept, ${kept.labels_total} in all`,
        ...(kept.refit ? { detail: "The answers are combined anew with them." } : {}),
        tone: "good",
      });
      if (kept.refit) await untilNewer(job.aggregation?.version ?? 0, refresh);
      else await refresh();
    } catch (error) {
      showToast({ title: "The labels were not kept", detail: errorText(error), tone: "bad" });
    } finally {
      setSending(false);
    }
  }

  return {
    pending,
    sending,
    send,
    set(record, classes, index) {
      const next = new Map(pending);
      if (index === null) next.delete(record.record);
      else next.set(record.record, { recordId: record.id, index, label: classes?.[index] ?? index });
      setPending(next);
    },
  };
}

async function untilNewer(version: number, refresh: () => Promise<JobResource>): Promise<void> {
  for (let asked = 0; asked < ASK_TIMES; asked++) {
    const job = await refresh();
    if ((job.aggregation?.version ?? 0) > version) return;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}

/** Stays in sight while there is something to send. */
export function SendLabels({ labels }: { labels: Labels }) {
  const count = labels.pending.size;
  if (count === 0 && !labels.sending) return null;
  return (
    <div className="sticky bottom-3 z-10 mt-5 flex flex-wrap items-center justify-between gap-3 rounded-md border border-accent bg-raised px-4 py-3 shadow-(--shadow-popup)">
      <p role="status">
        {labels.sending ? "Sending…" : `${count} right ${count === 1 ? "answer" : "answers"} to send`}
      </p>
      <Button size="small" disabled={labels.sending} onClick={labels.send}>
        Send
      </Button>
    </div>
  );
}
