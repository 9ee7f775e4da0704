"use client";
/**
 * A job whose key is with its submitter: how far this browser is with encrypting and decrypting, the key to put away, and the way
 * back when the page was closed or another browser is used.
 */
import { Download, KeyRound, Upload } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { BrowserCustody, CustodyProgress } from "#lib/client/custody/browser/custody.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { formatBytes, formatCount } from "../../format.ts";
import { errorText } from "../client.ts";
import { custody, type SealedRun, startRun, useSealedRun } from "../custody/session.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import { Progress } from "../ui/progress.tsx";
import { showToast } from "../ui/toast.tsx";

/** What this browser has of a job: unknown yet, no key, the key, or every answer. */
export type Holding = "unknown" | "nothing" | "key" | "answers";

export function useHolding(job: JobResource): [Holding, () => void] {
  const [holding, setHolding] = useState<Holding>("unknown");
  const [asked, setAsked] = useState(0);
  const sealed = job.custody === "submitter";
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again on demand, and when the job ends
  useEffect(() => {
    if (!sealed) return;
    let gone = false;
    custody()
      .then((holder) => holdingOf(holder, job.id))
      .catch((): Holding => "nothing")
      .then((found) => {
        if (!gone) setHolding(found);
      });
    return () => {
      gone = true;
    };
  }, [sealed, job.id, job.status, asked]);
  return [holding, () => setAsked((count) => count + 1)];
}

async function holdingOf(holder: BrowserCustody, id: JobId): Promise<Holding> {
  if (!(await holder.jobs()).includes(id)) return "nothing";
  return (await holder.decrypted(id)) ? "answers" : "key";
}

interface SealedPanelProps {
  readonly job: JobResource;
  readonly holding: Holding;
  readonly onChange: () => void;
}

export function SealedPanel({ job, holding, onChange }: SealedPanelProps) {
  const run = useSealedRun(job.id);
  const ended = job.status === "failed" || job.status === "canceled";
  return (
    <Card className="p-5 sm:p-6">
      <div className="flex flex-wrap items-center justify-between gap-4">
        <h2 className="flex items-center gap-2.5 text-[1.2rem]">
          <KeyRound aria-hidden="true" className="size-5 text-good" strokeWidth={1.75} /> Your key
        </h2>
        {holding === "key" || holding === "answers" ? <SaveKey job={job.id} /> : null}
      </div>
      <p className="mt-1 min-h-6 text-ink-2">{words(holding, run, job)}</p>
      {run?.progress && run.phase !== "stopped" ? <HowFar progress={run.progress} /> : null}
      {run?.problem ? (
        <div className="mt-4">
          <Notice tone="bad" title="This browser stopped working on it">
            {run.problem}
          </Notice>
        </div>
      ) : null}
      {holding === "nothing" ? <BringKey onBrought={onChange} /> : null}
      {holding === "key" && !ended && run?.phase !== "running" && job.status !== "completed" ? (
        <Reopen job={job.id} />
      ) : null}
    </Card>
  );
}

function words(holding: Holding, run: SealedRun | null, job: JobResource): string {
  if (run?.phase === "running") return "This browser encrypts, uploads and decrypts. Keep the page open.";
  switch (holding) {
    case "unknown":
      return "";
    case "nothing":
      return "This job’s key is not in this browser: it is in the one that submitted it, or in the key file that was saved.";
    case "key":
      return job.status === "completed"
        ? "The answers were decrypted elsewhere. Choose the files again there, or fetch them with the command line."
        : "The key is in this browser, but the page has forgotten the files: choose them again and it goes on where it was.";
    case "answers":
      return "Every answer was decrypted in this browser and is kept in it. The server never had the key.";
  }
}

function HowFar({ progress }: { progress: CustodyProgress }) {
  const { batches, encrypted, uploadedBytes, uploadBytes, lanesDone, lanes, decrypted } = progress;
  const batch = (count: number) =>
    `${formatCount(Math.floor(count))} of ${formatCount(batches)} ${batches === 1 ? "batch" : "batches"}`;
  return (
    <div className="mt-4 grid gap-x-8 gap-y-4 sm:grid-cols-2">
      <Progress label="Encrypted here" value={batches === 0 ? 0 : encrypted / batches} detail={batch(encrypted)} />
      <Progress
        label="Ciphertext uploaded"
        value={uploadBytes === 0 ? 0 : uploadedBytes / uploadBytes}
        detail={`${formatBytes(uploadedBytes)} of ${formatBytes(uploadBytes)}`}
      />
      <Progress
        label="Computed by donors"
        value={lanes === 0 ? 0 : lanesDone / lanes}
        detail={`${formatCount(lanesDone)} of ${formatCount(lanes)} lanes`}
      />
      <Progress label="Decrypted here" value={batches === 0 ? 0 : decrypted / batches} detail={batch(decrypted)} />
    </div>
  );
}

function SaveKey({ job }: { job: JobId }) {
  async function save() {
    try {
      saveAs(await (await custody()).exportKeys(job), `${job}.flux-key.json`);
    } catch (error) {
      showToast({ title: "The key was not saved", detail: errorText(error), tone: "bad" });
    }
  }
  return (
    <Button kind="quiet" size="small" onClick={save}>
      <Download aria-hidden="true" className="size-4" /> Save the key
    </Button>
  );
}

function BringKey({ onBrought }: { onBrought: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  async function bring(file: File | undefined) {
    if (!file) return;
    try {
      const job = await (await custody()).importKeys(file);
      showToast({ title: "The key is in this browser now", detail: job, tone: "good" });
      onBrought();
    } catch (error) {
      showToast({ title: "This file was not taken", detail: errorText(error), tone: "bad" });
    }
  }
  return (
    <div className="mt-4">
      <input
        ref={input}
        type="file"
        accept=".json"
        aria-label="Key file"
        className="sr-only"
        onChange={(event) => bring(event.target.files?.[0])}
      />
      <Button kind="quiet" size="small" onClick={() => input.current?.click()}>
        <Upload aria-hidden="true" className="size-4" /> Bring the key file
      </Button>
    </div>
  );
}

/** The same files again: they are compared with what was submitted. */
function Reopen({ job }: { job: JobId }) {
  const [model, setModel] = useState<File | null>(null);
  const [dataset, setDataset] = useState<File | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  async function reopen() {
    if (!model || !dataset) return;
    setProblem(null);
    try {
      const holder = await custody();
      await holder.reopen(job, {
        models: [{ name: model.name, content: model }],
        dataset: { name: dataset.name, content: dataset },
      });
      startRun(job);
    } catch (error) {
      setProblem(errorText(error));
    }
  }
  return (
    <div className="mt-4 flex flex-wrap items-end gap-4">
      <FileField label="The model" onFile={setModel} />
      <FileField label="The data" onFile={setDataset} />
      <Button size="small" disabled={!model || !dataset} onClick={reopen}>
        Go on
      </Button>
      {problem ? (
        <div className="w-full">
          <Notice tone="bad" title={problem} />
        </div>
      ) : null}
    </div>
  );
}

function FileField({ label, onFile }: { label: string; onFile: (file: File | null) => void }) {
  return (
    <label className="grid gap-1 text-[0.95rem]">
      {label}
      <input
        type="file"
        onChange={(event) => onFile(event.target.files?.[0] ?? null)}
        className="max-w-64 text-[0.9rem] text-ink-2 file:mr-3 file:min-h-9 file:rounded-md file:border file:border-solid file:border-line-strong file:bg-raised file:px-3 file:text-ink"
      />
    </label>
  );
}

/** Hands a file made in this page to the browser's downloads. */
export function saveAs(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun by then; the page keeps the bytes until.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
