"use client";
/** Model → data → who may see it → plan → submit, on one page. */
import { type ReactNode, useEffect, useRef } from "react";
import { digitsCsv } from "#lib/client/demo/sample-data.ts";
import type { GroupResource } from "#lib/protocol/api/partners.ts";
import type { DatasetResource, ModelResource } from "#lib/protocol/api/uploads.ts";
import { PlanFacts } from "../job/plan-facts.tsx";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { PageHeader } from "../ui/page-header.tsx";
import { Progress } from "../ui/progress.tsx";
import { Select } from "../ui/select.tsx";
import { Checkbox } from "../ui/switch.tsx";
import { NO_CHOICES } from "./choices.ts";
import { DatasetFacts } from "./dataset-facts.tsx";
import { DropFile } from "./drop-file.tsx";
import { ModelFacts } from "./model-facts.tsx";
import { MoreOptions } from "./more-options.tsx";
import { PrivacyChoice } from "./privacy-choice.tsx";
import { Step } from "./step.tsx";
import { type Asked, useNewJob } from "./use-new-job.ts";

interface NewJobProps {
  readonly models: readonly ModelResource[];
  readonly datasets: readonly DatasetResource[];
  readonly groups: readonly GroupResource[];
  /** From links: what to begin with. */
  readonly begin: { readonly model: string | null; readonly dataset: string | null; readonly sample: boolean };
}

const SAMPLE = { model: "/demo/digits-square.onnx", records: 256 };

export function NewJob({ models, datasets, groups, begin }: NewJobProps) {
  const job = useNewJob();
  useBegin(job, { models, datasets, begin });
  const { model, data, plan } = job;
  const modelReady = model.phase === "ready";
  const dataReady = modelReady && data.phase === "ready";
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-7">
      <PageHeader title="New job">Nothing runs before you have seen the plan.</PageHeader>
      <Step number={1} title="Model" state={modelReady ? "done" : "open"}>
        {model.phase === "ready" ? (
          <ModelFacts model={model.thing} onChange={job.dropModel} />
        ) : (
          <Take
            drop={
              <DropFile
                label="Drop a model here, or choose a file"
                hint="ONNX, or TensorFlow as a zip, .keras, .h5 or .pb; up to 512 MB"
                accept=".onnx,.zip,.keras,.h5,.hdf5,.pb"
                onFile={job.takeModelFile}
              />
            }
            earlier={models}
            label="An earlier model"
            onEarlier={job.takeEarlierModel}
          />
        )}
        <State asked={model} title="The model was not taken" />
      </Step>
      <Step number={2} title="Data" state={dataReady ? "done" : modelReady ? "open" : "waiting"}>
        {data.phase === "ready" ? (
          <DatasetFacts
            dataset={data.thing}
            choices={job.choices}
            onChoices={job.changeChoices}
            onChange={job.dropData}
          />
        ) : (
          <Take
            drop={
              <DropFile
                label="Drop a dataset here, or choose a file"
                hint="CSV, JSON Lines, NumPy, Parquet, or a zip of images; up to 8 GB"
                accept=".csv,.tsv,.txt,.jsonl,.ndjson,.npy,.npz,.parquet,.zip,.gz"
                onFile={job.takeDataFile}
              />
            }
            earlier={datasets}
            label="An earlier dataset"
            onEarlier={job.takeEarlierData}
          />
        )}
        <State asked={data} title="The data was not taken" />
        {data.phase === "refused" && data.textColumns.length > 0 ? (
          <Button
            kind="quiet"
            className="mt-3"
            onClick={() => {
              const left = Object.fromEntries(data.textColumns.map((name) => [name, "ignore"]));
              job.changeChoices({ ...job.choices, roles: { ...job.choices.roles, ...left } });
            }}
          >
            Leave out {data.textColumns.join(", ")}
          </Button>
        ) : null}
      </Step>
      <Step number={3} title="Who may see the data" state={modelReady ? (job.mode ? "done" : "open") : "waiting"}>
        <PrivacyChoice chosen={job.mode} impossible={job.impossible} onChoose={job.changeMode} />
      </Step>
      {modelReady ? <MoreOptions job={job} models={models} groups={groups} /> : null}
      <Step number={4} title="Plan" state={plan.phase === "none" ? "waiting" : "open"}>
        <State asked={plan} title="This cannot be computed as it is" />
        {plan.phase === "ready" ? (
          <div className="grid gap-5">
            <PlanFacts plan={plan.thing.plan} />
            {plan.thing.refusal ? (
              <Notice tone="info" title="Less faithful than wanted">
                <p className="mb-3">{plan.thing.refusal}</p>
                <Checkbox label="Run it all the same" checked={job.acceptFidelity} onChange={job.setAcceptFidelity} />
              </Notice>
            ) : null}
            {job.problem ? <Notice tone="bad" title={job.problem} /> : null}
            <div className="flex flex-wrap items-center gap-4">
              <Button
                onClick={job.submit}
                disabled={job.submitting || (plan.thing.refusal !== null && !job.acceptFidelity)}
                className="px-6"
              >
                {job.submitting ? "Submitting…" : "Submit job"}
              </Button>
              {job.mode === "sealed" ? (
                <p className="text-[0.95rem] text-ink-2">A key is made in this browser now, and stays in it.</p>
              ) : null}
            </div>
          </div>
        ) : null}
      </Step>
    </div>
  );
}

/** Takes what a link named, once. */
function useBegin(
  job: ReturnType<typeof useNewJob>,
  { models, datasets, begin }: Pick<NewJobProps, "models" | "datasets" | "begin">,
): void {
  const model = useRef<"todo" | "done">("todo");
  const data = useRef<"todo" | "done">("todo");
  const modelReady = job.model.phase === "ready";
  // biome-ignore lint/correctness/useExhaustiveDependencies: each is taken once, when it can be
  useEffect(() => {
    if (model.current === "todo") {
      model.current = "done";
      const known = models.find(({ id }) => id === begin.model);
      if (known) job.takeEarlierModel(known);
      else if (begin.sample) void sampleModel().then(job.takeModelFile);
    }
    if (modelReady && data.current === "todo") {
      data.current = "done";
      const known = datasets.find(({ id }) => id === begin.dataset);
      if (known) void job.takeEarlierData(known);
      else if (begin.sample)
        void job.takeDataFile(sampleData(), { ...NO_CHOICES, roles: { digit: "label" }, scaleBytes: true });
    }
  }, [modelReady]);
}

async function sampleModel(): Promise<File> {
  const response = await fetch(SAMPLE.model);
  return new File([await response.blob()], "digits-square.onnx");
}

function sampleData(): File {
  return new File([digitsCsv(SAMPLE.records)], "digits.csv", { type: "text/csv" });
}

function State<Thing>({ asked, title }: { asked: Asked<Thing>; title: string }) {
  return (
    <div aria-live="polite" className={asked.phase === "busy" || asked.phase === "refused" ? "mt-4" : ""}>
      {asked.phase === "busy" ? <Progress label={`${asked.doing}…`} value={asked.share} className="max-w-xl" /> : null}
      {asked.phase === "refused" ? (
        <Notice tone="bad" title={title}>
          {asked.why}
        </Notice>
      ) : null}
    </div>
  );
}

interface TakeProps<Thing> {
  readonly drop: ReactNode;
  readonly earlier: readonly Thing[];
  readonly label: string;
  readonly onEarlier: (thing: Thing) => void;
}

function Take<Thing extends { readonly id: string; readonly name: string; readonly created_at: string }>({
  drop,
  earlier,
  label,
  onEarlier,
}: TakeProps<Thing>) {
  if (earlier.length === 0) return drop;
  return (
    <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_17rem] sm:items-center">
      {drop}
      <Select
        label={label}
        value={null}
        choices={earlier.map(({ id, name, created_at }) => ({
          value: id,
          label: name,
          note: `${created_at.slice(0, 16).replace("T", " ")} UTC`,
        }))}
        onChange={(id) => {
          const thing = earlier.find((candidate) => candidate.id === id);
          if (thing) onEarlier(thing);
        }}
      />
    </div>
  );
}
