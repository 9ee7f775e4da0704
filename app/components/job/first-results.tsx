"use client";
/** The first records beside their answers: pictures where the records are pictures. */
import { useEffect, useState } from "react";
import { z } from "zod";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { DatasetResource } from "#lib/protocol/api/uploads.ts";
import { call } from "../api.ts";
import { RecordPicture } from "../new-job/record-picture.tsx";

const SHOWN = 5;

const Row = z.object({ record: z.int(), id: z.string().optional(), outputs: z.record(z.string(), z.unknown()) });
type Row = z.infer<typeof Row>;

interface First {
  readonly rows: readonly Row[];
  readonly dataset: DatasetResource;
}

export function FirstResults({ job }: { job: JobResource }) {
  const [first, setFirst] = useState<First | null>(null);

  useEffect(() => {
    const gone = new AbortController();
    Promise.all([
      firstRows(`${job.urls.results}?format=jsonl`, gone.signal),
      call(`/api/v1/datasets/${job.dataset}`, { signal: gone.signal }),
    ])
      .then(([rows, dataset]) => setFirst({ rows, dataset: DatasetResource.parse(dataset) }))
      // The downloads above work without it.
      .catch(() => setFirst(null));
    return () => gone.abort();
  }, [job.urls.results, job.dataset]);

  // As tall before it is filled as after, so that nothing below it jumps.
  return (
    <ul className="mt-5 flex min-h-[8.6rem] flex-wrap gap-4" aria-label="First results">
      {first?.rows.map((row) => (
        <li key={row.record} className="w-24">
          <Record dataset={first.dataset} record={row.record} />
          <p className="number mt-1 text-center text-[0.9rem] [overflow-wrap:anywhere]">{answerText(row)}</p>
        </li>
      ))}
    </ul>
  );
}

function Record({ dataset, record }: { dataset: DatasetResource; record: number }) {
  const preview = dataset.preview.find((candidate) => candidate.record === record);
  const array = preview?.arrays[0];
  const sides = array?.shape.filter((axis) => axis !== 1) ?? [];
  const whole = array !== undefined && array.values.length === sides.reduce((product, axis) => product * axis, 1);
  if (array && whole && sides.length === 2) {
    return <RecordPicture shape={array.shape} values={array.values} label={`Record ${preview?.id ?? record}`} />;
  }
  return (
    <p className="number truncate rounded-sm bg-sunk px-2 py-1 text-center text-[0.85rem]">
      {preview?.id ?? String(record)}
    </p>
  );
}

/** The place of the largest of several values, or the value itself. */
function answerText({ outputs }: Row): string {
  const values = z.array(z.number()).safeParse(Object.values(outputs)[0]);
  if (!values.success) {
    const single = z.number().safeParse(Object.values(outputs)[0]);
    return single.success ? String(Number(single.data.toPrecision(4))) : "…";
  }
  if (values.data.length === 1) return String(Number((values.data[0] ?? 0).toPrecision(4)));
  const best = values.data.indexOf(Math.max(...values.data));
  return `→ ${best}`;
}

/** Reads the head of a long answer and lets the rest go. */
async function firstRows(url: string, signal: AbortSignal): Promise<readonly Row[]> {
  const response = await fetch(url, { credentials: "same-origin", signal });
  if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (text.split("\n").length <= SHOWN) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text
    .split("\n")
    .slice(0, SHOWN)
    .filter((line) => line.endsWith("}"))
    .map((line) => Row.parse(JSON.parse(line)));
}
