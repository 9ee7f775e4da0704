"use client";
/** What most jobs do without, closed until it is wanted: several models, cut records, whose donors, and a name. */
import { type FormEvent, useState } from "react";
import type { Reducer } from "#lib/protocol/api/aggregation.ts";
import type { GroupResource } from "#lib/protocol/api/partners.ts";
import type { ModelResource } from "#lib/protocol/api/uploads.ts";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { type Choice, Select } from "../ui/select.tsx";
import { DropFile } from "./drop-file.tsx";
import { type Extras, NO_EXTRAS, readExtras } from "./extras.ts";
import type { NewJobFlow } from "./use-new-job.ts";

const CUTS: readonly Choice<Extras["cut"]>[] = [
  { value: "none", label: "Whole records" },
  { value: "window", label: "Windows of a signal" },
  { value: "tile", label: "Tiles of an image" },
];
const REDUCERS: readonly Choice<Reducer>[] = [
  { value: "auto", label: "Automatic", note: "learned where labels prove it better, else a simple one" },
  { value: "mean", label: "Mean" },
  { value: "vote", label: "Vote" },
  { value: "max", label: "The surest" },
  { value: "learned", label: "Learned" },
  { value: "concat", label: "None: every output" },
];
const RUNTIMES: readonly Choice<Extras["runtime"]>[] = [
  { value: "auto", label: "The fastest that fits" },
  { value: "onnxruntime", label: "ONNX Runtime" },
  { value: "tfjs", label: "TensorFlow.js" },
];
const ANY_DONOR = "any";

export interface MoreOptionsProps {
  readonly job: NewJobFlow;
  readonly models: readonly ModelResource[];
  readonly groups: readonly GroupResource[];
}

export function MoreOptions({ job, models, groups }: MoreOptionsProps) {
  return (
    <details className="border-t border-line pt-5">
      <summary className="w-fit cursor-pointer text-[1.05rem] font-[560]">
        More options
        <span className="ml-3 font-[400] text-ink-3">several models, windows and tiles, whose donors, a name</span>
      </summary>
      <div className="mt-5 grid gap-7">
        <Members job={job} models={models} />
        <Settings job={job} groups={groups} />
      </div>
    </details>
  );
}

/** An ensemble: more models that read the same records. */
function Members({ job, models }: Pick<MoreOptionsProps, "job" | "models">) {
  const taken = new Set([...job.members.map(({ model }) => model.id), job.modelId]);
  const offered = models.filter(({ id }) => !taken.has(id));
  return (
    <section aria-label="More models" className="grid gap-3">
      <h3 className="text-[1.05rem]">More models on the same records</h3>
      {job.members.length > 0 ? (
        <ul className="grid gap-2">
          {job.members.map(({ model }) => (
            <li key={model.id} className="flex flex-wrap items-center justify-between gap-3 border-b border-line pb-2">
              <span>{model.name}</span>
              <Button kind="quiet" onClick={() => job.dropMember(model.id)}>
                Leave out {model.name}
              </Button>
            </li>
          ))}
        </ul>
      ) : null}
      <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_17rem] sm:items-center">
        <DropFile
          label="Drop another model here, or choose a file"
          hint="It must read the same inputs; what they say is combined to one answer"
          accept=".onnx,.zip,.keras,.h5,.hdf5,.pb"
          onFile={job.takeMemberFile}
        />
        {offered.length > 0 ? (
          <Select
            label="Another earlier model"
            value={null}
            choices={offered.map(({ id, name }) => ({ value: id, label: name }))}
            onChange={(id) => {
              const known = offered.find((candidate) => candidate.id === id);
              if (known) job.takeEarlierMember(known);
            }}
          />
        ) : null}
      </div>
      <div aria-live="polite">
        {job.memberProblem ? (
          <Notice tone="bad" title="The model was not taken">
            {job.memberProblem}
          </Notice>
        ) : null}
      </div>
    </section>
  );
}

function Settings({ job, groups }: Pick<MoreOptionsProps, "job" | "groups">) {
  const [extras, setExtras] = useState(job.extras);
  const read = readExtras(extras);
  const errors = read.ok ? {} : read.errors;
  const set = (change: Partial<Extras>) => setExtras({ ...extras, ...change });
  const text = (field: "name" | "length" | "stride" | "size" | "overlap" | "regions" | "fidelityPercent") => ({
    name: field,
    value: extras[field],
    error: errors[field],
    onValueChange: (value: string) => set({ [field]: value }),
  });
  const changed = JSON.stringify(extras) !== JSON.stringify(job.extras);
  const cut = extras.cut !== "none";

  function apply(event: FormEvent) {
    event.preventDefault();
    if (read.ok) void job.changeExtras(extras);
  }

  return (
    <form onSubmit={apply} aria-label="Options" noValidate className="grid gap-5">
      <div className="grid gap-5 sm:grid-cols-3">
        <Select label="What a model reads" choices={CUTS} value={extras.cut} onChange={(next) => set({ cut: next })} />
        {extras.cut === "window" ? (
          <>
            <TextField label="Window, steps" inputMode="numeric" mono {...text("length")} />
            <TextField label="From one to the next, steps" inputMode="numeric" mono {...text("stride")} />
          </>
        ) : null}
        {extras.cut === "tile" ? (
          <>
            <TextField label="Tile, pixels" inputMode="numeric" mono {...text("size")} />
            <TextField label="Overlap, pixels" inputMode="numeric" mono {...text("overlap")} />
          </>
        ) : null}
        {cut || job.members.length > 0 ? (
          <Select
            label="Combined by"
            choices={REDUCERS}
            value={extras.reducer}
            onChange={(next) => set({ reducer: next })}
          />
        ) : null}
      </div>
      <div className="grid gap-5 sm:grid-cols-3">
        {groups.length > 0 ? (
          <Select
            label="Donors"
            choices={[
              { value: ANY_DONOR, label: "Anybody" },
              ...groups.map(({ id, name }) => ({ value: id, label: `${name} only` })),
            ]}
            value={extras.group === "" ? ANY_DONOR : extras.group}
            onChange={(next) => set({ group: next === ANY_DONOR ? "" : next })}
          />
        ) : null}
        <TextField
          label="Only in these countries"
          hint="DE, FR, or groups like EU; empty: anywhere"
          {...text("regions")}
        />
        {job.mode === "public" ? (
          <Select
            label="Runtime"
            choices={RUNTIMES}
            value={extras.runtime}
            onChange={(next) => set({ runtime: next })}
          />
        ) : (
          <TextField
            label="Same answers wanted, %"
            hint="Below it, you are asked before it runs"
            inputMode="decimal"
            mono
            {...text("fidelityPercent")}
          />
        )}
        <TextField label="Job’s name" hint="Donors see it" maxLength={120} {...text("name")} />
      </div>
      <div className="flex flex-wrap items-center gap-4">
        <Button type="submit" kind="quiet" disabled={!changed || !read.ok}>
          Plan with these
        </Button>
        {JSON.stringify(job.extras) === JSON.stringify(NO_EXTRAS) ? null : (
          <Button
            kind="quiet"
            onClick={() => {
              setExtras(NO_EXTRAS);
              void job.changeExtras(NO_EXTRAS);
            }}
          >
            Back to the usual
          </Button>
        )}
      </div>
    </form>
  );
}
