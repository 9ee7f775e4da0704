"use client";
/** A job's results: downloads, the records beside their answers, and labels by clicking. */
import { Download } from "lucide-react";
import { useMemo } from "react";
import { JobRecords } from "#lib/protocol/api/job-records.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { call } from "../api.ts";
import { ButtonLink } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { CodeBlock } from "../ui/code.tsx";
import { type RecordSource, Records } from "./records.tsx";

const FORMATS = [
  { format: "csv", text: "CSV" },
  { format: "jsonl", text: "JSON Lines" },
  { format: "json", text: "JSON" },
  { format: "npy", text: "NumPy" },
  { format: "parquet", text: "Parquet" },
];

export function Results({ job }: { job: JobResource }) {
  const source = useMemo(() => serverRecords(job.urls.self, job.counts.records), [job.urls.self, job.counts.records]);
  return (
    <Card className="p-5 sm:p-6">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <h2 className="text-[1.3rem]">Results</h2>
        <div className="flex flex-wrap gap-2">
          {FORMATS.map(({ format, text }, index) => (
            <ButtonLink
              key={format}
              kind={index === 0 ? "primary" : "quiet"}
              size="small"
              href={`${job.urls.results}?format=${format}`}
              download
            >
              {index === 0 ? <Download aria-hidden="true" className="size-4" /> : null}
              {text}
            </ButtonLink>
          ))}
        </div>
      </div>
      <p className="mt-1 mb-5 text-ink-2">One row a record, in the dataset’s order.</p>
      <Records source={source} labelling={null} />
      <details className="mt-6">
        <summary className="text-[0.95rem] text-ink-2 hover:text-ink">With the API</summary>
        <div className="mt-2">
          <CodeBlock
            text={`curl -H "Authorization: Bearer $FLUX_KEY" \\\n  "$FLUX_URL${job.urls.results}?format=csv" -o results.csv`}
          />
        </div>
      </details>
    </Card>
  );
}

function serverRecords(self: string, records: number): RecordSource {
  return {
    records,
    read: async (start, limit, signal) =>
      JobRecords.parse(await call(`${self}/records?start=${start}&limit=${limit}`, { signal })),
  };
}
