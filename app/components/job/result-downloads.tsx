import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { ButtonLink } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { FirstResults } from "./first-results.tsx";

const FORMATS = [
  { format: "csv", text: "CSV" },
  { format: "json", text: "JSON" },
  { format: "jsonl", text: "JSON Lines" },
  { format: "npy", text: "NumPy" },
  { format: "parquet", text: "Parquet" },
];

export function ResultDownloads({ job }: { job: JobResource }) {
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.2rem]">Results</h2>
      {job.status === "completed" ? (
        <>
          <p className="mt-1 text-ink-2">One row per record, in the dataset’s order.</p>
          <div className="mt-4 flex flex-wrap gap-2.5">
            {FORMATS.map(({ format, text }, index) => (
              <ButtonLink
                key={format}
                kind={index === 0 ? "primary" : "quiet"}
                href={`${job.urls.results}?format=${format}`}
                download
              >
                {text}
              </ButtonLink>
            ))}
          </div>
          <FirstResults job={job} />
          <p className="mt-5 text-[0.95rem] text-ink-2">With the API:</p>
          <pre
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
            tabIndex={0}
            className="number mt-1.5 overflow-x-auto rounded-md bg-sunk px-3 py-2.5 text-[0.82rem] leading-relaxed"
          >
            {`curl -H "Authorization: Bearer $FLUX_KEY" \\\n  "$FLUX_URL${job.urls.results}?format=csv" -o results.csv`}
          </pre>
        </>
      ) : (
        <p className="mt-1 text-ink-2">{absence(job)}</p>
      )}
    </Card>
  );
}

function absence(job: JobResource): string {
  if (job.status === "failed") return "There are none: the job failed.";
  if (job.status === "canceled") return "There are none: the job was cancelled.";
  return "They can be downloaded here as soon as the job is done.";
}
