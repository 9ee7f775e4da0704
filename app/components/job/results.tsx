"use client";
/** A job's results: downloads, and the records beside their answers. */
import { Download } from "lucide-react";
import { type ReactNode, useMemo } from "react";
import { JobRecords } from "#lib/protocol/api/job-records.ts";
import type { JobResource, ResultFormat } from "#lib/protocol/api/jobs.ts";
import { call } from "../api.ts";
import { errorText } from "../client.ts";
import { custody } from "../custody/session.ts";
import { Button, ButtonLink } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { CodeBlock } from "../ui/code.tsx";
import { showToast } from "../ui/toast.tsx";
import { SendLabels, useLabels } from "./labels.tsx";
import { type RecordSource, Records } from "./records.tsx";
import { saveAs } from "./sealed-panel.tsx";
import { sealedRecords } from "./sealed-records.ts";

const FORMATS: readonly { readonly format: ResultFormat; readonly text: string }[] = [
  { format: "csv", text: "CSV" },
  { format: "jsonl", text: "JSON Lines" },
  { format: "json", text: "JSON" },
  { format: "npy", text: "NumPy" },
  { format: "parquet", text: "Parquet" },
];

/** Results that the server holds; labels that are clicked here improve them. */
export function Results({ job, refresh }: { job: JobResource; refresh: () => Promise<JobResource> }) {
  const version = job.aggregation?.version ?? null;
  const source = useMemo(
    () => serverRecords(job.urls.self, job.counts.records, version),
    [job.urls.self, job.counts.records, version],
  );
  const labels = useLabels(job, refresh);
  return (
    <Frame
      downloads={FORMATS.map(({ format, text }, index) => (
        <ButtonLink key={format} {...look(index)} href={`${job.urls.results}?format=${format}`} download>
          {index === 0 ? <Download aria-hidden="true" className="size-4" /> : null}
          {text}
        </ButtonLink>
      ))}
    >
      <Records source={source} labelling={labels} />
      <SendLabels labels={labels} />
      <details className="mt-6">
        <summary className="text-[0.95rem] text-ink-2 hover:text-ink">With the API</summary>
        <div className="mt-2">
          <CodeBlock
            text={`curl -H "Authorization: Bearer $FLUX_KEY" \\\n  "$FLUX_URL${job.urls.results}?format=csv" -o results.csv`}
          />
        </div>
      </details>
    </Frame>
  );
}

/** Results that were decrypted in this browser; files are made here. */
export function SealedResults({ job }: { job: JobResource }) {
  const source = useMemo(() => sealedRecords(job.id, job.counts.records), [job.id, job.counts.records]);
  async function save(format: ResultFormat) {
    try {
      const { file, name } = await (await custody()).results(job.id, format);
      saveAs(file, name);
    } catch (error) {
      showToast({ title: "The file was not made", detail: errorText(error), tone: "bad" });
    }
  }
  return (
    <Frame
      downloads={FORMATS.map(({ format, text }, index) => (
        <Button key={format} {...look(index)} onClick={() => save(format)}>
          {index === 0 ? <Download aria-hidden="true" className="size-4" /> : null}
          {text}
        </Button>
      ))}
    >
      <Records source={source} labelling={null} />
    </Frame>
  );
}

function look(index: number) {
  return { kind: index === 0 ? "primary" : "quiet", size: "small" } as const;
}

function Frame({ downloads, children }: { downloads: ReactNode; children: ReactNode }) {
  return (
    <Card className="p-5 sm:p-6">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <h2 className="text-[1.3rem]">Results</h2>
        <div className="flex flex-wrap gap-2">{downloads}</div>
      </div>
      <p className="mt-1 mb-5 text-ink-2">One row a record, in the dataset’s order.</p>
      {children}
    </Card>
  );
}

function serverRecords(self: string, records: number, version: number | null): RecordSource {
  const which = version === null ? "" : `&version=${version}`;
  return {
    records,
    read: async (start, limit, signal) =>
      JobRecords.parse(await call(`${self}/records?start=${start}&limit=${limit}${which}`, { signal })),
  };
}
