"use client";
/** Model → data → who may see it → plan → submit, on one page. */
import { useState } from "react";
import type { Plan } from "#lib/protocol/api/jobs.ts";
import type { DatasetResource, ModelResource } from "#lib/protocol/api/uploads.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { formatBytes } from "../../format.ts";
import { errorText, fluxClient } from "../client.ts";
import { PlanFacts } from "../job/plan-facts.tsx";
import { Lanes } from "../lanes.tsx";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { type DataChoices, datasetRequest, NO_CHOICES } from "./choices.ts";
import { DatasetFacts } from "./dataset-facts.tsx";
import { DropFile } from "./drop-file.tsx";
import { ModelFacts } from "./model-facts.tsx";
import { type Privacy, PrivacyChoice } from "./privacy-choice.tsx";
import { Step } from "./step.tsx";

/** Something that is asked of the server: not yet, being answered, here, or refused with a reason. */
type Asked<Thing> =
  | { readonly phase: "none" }
  | { readonly phase: "busy"; readonly doing: string }
  | { readonly phase: "ready"; readonly thing: Thing }
  | { readonly phase: "refused"; readonly why: string; readonly textColumns: readonly string[] };

const NONE = { phase: "none" } as const;

function refused(error: unknown) {
  const columns = isFluxError(error) && error.code === "dataset_value" ? (error.errors ?? []) : [];
  return { phase: "refused" as const, why: errorText(error), textColumns: columns.map(({ param }) => param) };
}

interface NewJobProps {
  readonly models: readonly ModelResource[];
  readonly datasets: readonly DatasetResource[];
}

export function NewJob({ models, datasets }: NewJobProps) {
  const [model, setModel] = useState<Asked<ModelResource>>(NONE);
  const [dataset, setDataset] = useState<Asked<DatasetResource>>(NONE);
  const [fileId, setFileId] = useState<DatasetResource["file_id"] | null>(null);
  const [choices, setChoices] = useState<DataChoices>(NO_CHOICES);
  const [privacy, setPrivacy] = useState<Privacy | null>(null);
  const [plan, setPlan] = useState<Asked<Plan>>(NONE);
  const [submitting, setSubmitting] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  async function readModel(file: File) {
    const client = fluxClient();
    setPlan(NONE);
    setModel({ phase: "busy", doing: `Uploading ${file.name}…` });
    try {
      const uploaded = await client.uploadFile(file, file.name, "model");
      setModel({ phase: "busy", doing: `Reading ${file.name}…` });
      setModel({ phase: "ready", thing: await client.createModel({ file_id: uploaded.id }) });
    } catch (error) {
      setModel(refused(error));
    }
  }

  async function uploadData(file: File) {
    setPlan(NONE);
    setChoices(NO_CHOICES);
    setDataset({ phase: "busy", doing: `Uploading ${file.name}…` });
    try {
      const uploaded = await fluxClient().uploadFile(file, file.name, "dataset", {
        onProgress: (bytes) =>
          setDataset({
            phase: "busy",
            doing: `Uploading ${file.name}: ${formatBytes(bytes)} of ${formatBytes(file.size)}…`,
          }),
      });
      setFileId(uploaded.id);
      await readData(uploaded.id, NO_CHOICES);
    } catch (error) {
      setDataset(refused(error));
    }
  }

  async function readData(id: DatasetResource["file_id"], next: DataChoices) {
    setPlan(NONE);
    setChoices(next);
    setDataset({ phase: "busy", doing: "Reading the data…" });
    try {
      setDataset({ phase: "ready", thing: await fluxClient().createDataset(datasetRequest(id, next)) });
    } catch (error) {
      setDataset(refused(error));
    }
  }

  async function makePlan(wanted: Privacy) {
    if (model.phase !== "ready" || dataset.phase !== "ready") return;
    setPrivacy(wanted);
    setPlan({ phase: "busy", doing: "Trying the model on the first records…" });
    try {
      const request = { model: model.thing.id, dataset: dataset.thing.id, privacy: wanted };
      setPlan({ phase: "ready", thing: (await fluxClient().planJob(request)).plan });
    } catch (error) {
      setPlan(refused(error));
    }
  }

  async function submit() {
    if (model.phase !== "ready" || dataset.phase !== "ready" || privacy === null) return;
    setSubmitting(true);
    setProblem(null);
    try {
      const request = { model: model.thing.id, dataset: dataset.thing.id, privacy };
      const job = await fluxClient().createJob(request, { idempotencyKey: crypto.randomUUID() });
      location.assign(job.urls.page);
    } catch (error) {
      setProblem(errorText(error));
      setSubmitting(false);
    }
  }

  const modelReady = model.phase === "ready";
  const dataReady = modelReady && dataset.phase === "ready";
  const takeDataset = (thing: DatasetResource) => {
    setFileId(thing.file_id);
    setChoices(NO_CHOICES);
    setDataset({ phase: "ready", thing });
  };
  return (
    <div className="grid gap-8">
      <h1 className="text-[2rem]">New job</h1>
      <Step number={1} title="Model" state={modelReady ? "done" : "open"}>
        {model.phase === "ready" ? (
          <ModelFacts
            model={model.thing}
            onChange={() => {
              setModel(NONE);
              setPlan(NONE);
            }}
          />
        ) : (
          <>
            <Earlier
              things={models}
              label="Or take an earlier model"
              onTake={(thing) => setModel({ phase: "ready", thing })}
            >
              <DropFile
                label="Drop a model here, or choose a file"
                hint="ONNX, up to 512 MB"
                accept=".onnx"
                onFile={readModel}
              />
            </Earlier>
            <State asked={model} title="The model was not taken" />
          </>
        )}
      </Step>
      <Step number={2} title="Data" state={dataReady ? "done" : modelReady ? "open" : "waiting"}>
        {dataset.phase === "ready" ? (
          <DatasetFacts
            dataset={dataset.thing}
            choices={choices}
            onChoices={(next) => fileId && readData(fileId, next)}
            onChange={() => {
              setDataset(NONE);
              setPlan(NONE);
            }}
          />
        ) : (
          <>
            <Earlier things={datasets} label="Or take an earlier dataset" onTake={takeDataset}>
              <DropFile
                label="Drop a dataset here, or choose a file"
                hint="CSV, JSON Lines, NumPy; up to 8 GB"
                accept=".csv,.tsv,.txt,.jsonl,.ndjson,.npy,.npz,.gz"
                onFile={uploadData}
              />
            </Earlier>
            <State asked={dataset} title="The data was not taken" />
            {dataset.phase === "refused" && dataset.textColumns.length > 0 && fileId ? (
              <Button
                kind="quiet"
                className="mt-3"
                onClick={() => {
                  const left = Object.fromEntries(dataset.textColumns.map((name) => [name, "ignore"]));
                  readData(fileId, { ...choices, roles: { ...choices.roles, ...left } });
                }}
              >
                Leave out {dataset.textColumns.join(", ")}
              </Button>
            ) : null}
          </>
        )}
      </Step>
      <Step number={3} title="Who may see the data" state={privacy ? "done" : dataReady ? "open" : "waiting"}>
        {model.phase === "ready" ? <PrivacyChoice model={model.thing} chosen={privacy} onChoose={makePlan} /> : null}
      </Step>
      <Step number={4} title="Plan" state={plan.phase === "none" ? "waiting" : "open"}>
        <State asked={plan} title="This cannot be computed as it is" />
        {plan.phase === "ready" ? (
          <div className="grid max-w-2xl gap-5">
            <PlanFacts plan={plan.thing} />
            {problem ? <Notice tone="bad" title={problem} /> : null}
            <Button onClick={submit} disabled={submitting} className="justify-self-start px-6">
              {submitting ? "Submitting…" : "Submit job"}
            </Button>
          </div>
        ) : null}
      </Step>
    </div>
  );
}

function State<Thing>({ asked, title }: { asked: Asked<Thing>; title: string }) {
  return (
    <div aria-live="polite" className={asked.phase === "busy" || asked.phase === "refused" ? "mt-4" : ""}>
      {asked.phase === "busy" ? (
        <div className="flex items-center gap-4">
          <Lanes progress={0} drifting lanes={5} className="h-7 w-24" />
          <span className="text-ink-2">{asked.doing}</span>
        </div>
      ) : null}
      {asked.phase === "refused" ? (
        <Notice tone="bad" title={title}>
          {asked.why}
        </Notice>
      ) : null}
    </div>
  );
}

function Earlier<Thing extends { readonly id: string; readonly name: string; readonly created_at: string }>({
  things,
  label,
  onTake,
  children,
}: {
  things: readonly Thing[];
  label: string;
  onTake: (thing: Thing) => void;
  children: React.ReactNode;
}) {
  return (
    <div className="grid gap-3">
      {children}
      {things.length > 0 ? (
        <label className="flex flex-wrap items-center gap-x-3 gap-y-1 text-ink-2">
          <span>{label}</span>
          <select
            value=""
            onChange={(event) => {
              const thing = things.find(({ id }) => id === event.target.value);
              if (thing) onTake(thing);
            }}
            className="min-h-10 max-w-full rounded-md border border-line-strong bg-raised px-2"
          >
            <option value="" disabled>
              choose…
            </option>
            {things.map((thing) => (
              <option key={thing.id} value={thing.id}>
                {thing.name} · {thing.created_at.slice(0, 10)}
              </option>
            ))}
          </select>
        </label>
      ) : null}
    </div>
  );
}
