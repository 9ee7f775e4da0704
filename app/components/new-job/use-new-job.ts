"use client";
/**
 * The new-job flow: what was dropped, chosen and answered. Every step is asked anew when something before it changes; an answer
 * that comes after a newer question is dropped.
 */
import { useRouter } from "next/navigation";
import { useEffect, useRef, useState } from "react";
import type { LocallyPlanned } from "#lib/client/custody/browser/custody.ts";
import type { Plan } from "#lib/protocol/api/jobs.ts";
import type { DatasetResource, ModelResource } from "#lib/protocol/api/uploads.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { formatBytes } from "../../format.ts";
import { errorText, fluxClient } from "../client.ts";
import { custody, restartCustody, startRun } from "../custody/session.ts";
import { type DataChoices, datasetRequest, ingestSettings, NO_CHOICES } from "./choices.ts";
import { type DatasetView, guessRoles, viewOfDescription } from "./dataset-view.ts";
import { type Extras, NO_EXTRAS, readExtras } from "./extras.ts";
import { type Besides, bestMode, type Data, impossibleModes, type Member, NO_DATA } from "./modes.ts";
import type { Mode } from "./privacy-choice.tsx";

/** Something that is asked of somebody: not yet, being answered, here, or refused with a reason. */
export type Asked<Thing> =
  | { readonly phase: "none" }
  | { readonly phase: "busy"; readonly doing: string; readonly share: number | null }
  | { readonly phase: "ready"; readonly thing: Thing }
  | { readonly phase: "refused"; readonly why: string; readonly textColumns: readonly string[] };

export interface ReadyPlan {
  readonly plan: Plan;
  /** In words, where it is less faithful than wanted. */
  readonly refusal: string | null;
}

const NONE = { phase: "none" } as const;

export type NewJobFlow = ReturnType<typeof useNewJob>;

export function useNewJob() {
  const router = useRouter();
  const [model, setModel] = useState<Asked<ModelResource>>(NONE);
  const [data, setData] = useState<Asked<DatasetView>>(NONE);
  const [plan, setPlan] = useState<Asked<ReadyPlan>>(NONE);
  const [choices, setChoices] = useState<DataChoices>(NO_CHOICES);
  const [mode, setMode] = useState<Mode | null>(null);
  const [acceptFidelity, setAcceptFidelity] = useState(false);
  const [submitting, setSubmitting] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [members, setMembers] = useState<readonly Member[]>([]);
  const [memberProblem, setMemberProblem] = useState<string | null>(null);
  const [extras, setExtras] = useState<Extras>(NO_EXTRAS);
  const modelFile = useRef<File | null>(null);
  const source = useRef<Data>(NO_DATA);
  /** What the newest question is asked with; the states above are what is shown. */
  const besides = useRef<Besides>({ members: [], extras: NO_EXTRAS });
  const planned = useRef<LocallyPlanned | null>(null);
  /** Counts questions; only the newest one's answers are shown. */
  const question = useRef(0);
  useEffect(
    () => () => {
      question.current++;
    },
    [],
  );

  function ask(): () => boolean {
    const own = ++question.current;
    setPlan(NONE);
    setAcceptFidelity(false);
    setProblem(null);
    planned.current = null;
    return () => own === question.current;
  }

  async function takeModelFile(file: File) {
    const current = ask();
    modelFile.current = file;
    setModel(busy(`Uploading ${file.name}`));
    try {
      const client = fluxClient();
      const uploaded = await client.uploadFile(file, file.name, "model", {
        onProgress: (bytes) => current() && setModel(busy(`Uploading ${file.name}`, bytes / file.size)),
      });
      if (current()) setModel(busy(`Reading ${file.name}`));
      const read = await client.createModel({ file_id: uploaded.id });
      if (current()) takeModel(read);
    } catch (error) {
      if (current()) setModel(refused(error));
    }
  }

  /** A model that the server knows; its file is not here, so this browser cannot compile it. */
  function takeEarlierModel(known: ModelResource) {
    ask();
    modelFile.current = null;
    takeModel(known);
  }

  function takeModel(known: ModelResource) {
    setModel({ phase: "ready", thing: known });
    const next = bestMode(known, modelFile.current !== null, source.current, besides.current);
    setMode(next);
    if (source.current !== NO_DATA) void prepare(known, next, NO_CHOICES);
  }

  async function takeMemberFile(file: File) {
    setMemberProblem(null);
    try {
      const client = fluxClient();
      const uploaded = await client.uploadFile(file, file.name, "model");
      await changeBesides({ members: withMember({ model: await client.createModel({ file_id: uploaded.id }), file }) });
    } catch (error) {
      setMemberProblem(errorText(error));
    }
  }

  function takeEarlierMember(known: ModelResource) {
    void changeBesides({ members: withMember({ model: known, file: null }) });
  }

  function dropMember(id: ModelResource["id"]) {
    void changeBesides({ members: besides.current.members.filter(({ model: other }) => other.id !== id) });
  }

  function withMember(member: Member): readonly Member[] {
    return [...besides.current.members.filter(({ model: other }) => other.id !== member.model.id), member];
  }

  async function changeExtras(next: Extras) {
    await changeBesides({ extras: next });
  }

  /** Plans anew; a mode that this makes impossible gives way to the next one. */
  async function changeBesides(change: Partial<Besides>) {
    besides.current = { ...besides.current, ...change };
    setMembers(besides.current.members);
    setExtras(besides.current.extras);
    if (model.phase !== "ready") return;
    const modelHere = modelFile.current !== null;
    const impossible = impossibleModes(model.thing, modelHere, source.current, besides.current);
    const stays = mode !== null && impossible[mode] === null;
    const next = stays ? mode : bestMode(model.thing, modelHere, source.current, besides.current);
    setMode(next);
    if (source.current !== NO_DATA) await prepare(model.thing, next, choices);
  }

  function options() {
    const read = readExtras(besides.current.extras);
    if (!read.ok) throw new Error("only what can be read is taken");
    return read.options;
  }

  async function takeDataFile(file: File, start: DataChoices = NO_CHOICES) {
    if (model.phase !== "ready") return;
    source.current = { file, fileId: null, dataset: null };
    const next = bestMode(model.thing, modelFile.current !== null, source.current, besides.current);
    setMode(next);
    await prepare(model.thing, next, start);
  }

  async function takeEarlierData(dataset: DatasetResource) {
    if (model.phase !== "ready") return;
    source.current = { file: null, fileId: dataset.file_id, dataset };
    const next = bestMode(model.thing, modelFile.current !== null, source.current, besides.current);
    setMode(next);
    await prepare(model.thing, next, NO_CHOICES);
  }

  async function changeChoices(next: DataChoices) {
    if (model.phase === "ready") await prepare(model.thing, mode, next);
  }

  async function changeMode(next: Mode) {
    setMode(next);
    if (model.phase === "ready" && source.current !== NO_DATA) await prepare(model.thing, next, choices);
  }

  function dropModel() {
    ask();
    modelFile.current = null;
    setModel(NONE);
  }

  function dropData() {
    ask();
    source.current = NO_DATA;
    setData(NONE);
    setChoices(NO_CHOICES);
  }

  /** Reads the data and plans, here or on the server. */
  async function prepare(known: ModelResource, wanted: Mode | null, chosen: DataChoices): Promise<void> {
    const current = ask();
    setChoices(chosen);
    if (wanted === "sealed") await prepareHere(known, chosen, current);
    else await prepareOnServer(known, wanted, chosen, current);
  }

  async function prepareHere(known: ModelResource, chosen: DataChoices, current: () => boolean): Promise<void> {
    const { file } = source.current;
    const own = modelFile.current;
    if (!file || !own) return;
    setData(busy("Reading the data in this browser"));
    let read = false;
    try {
      const holder = await restartCustody();
      const { segments, ...rest } = options();
      const request = {
        models: [own, ...besides.current.members.flatMap(({ file: other }) => other ?? [])].map((content) => ({
          name: content.name,
          content,
        })),
        modelIds: [known, ...besides.current.members.map(({ model: other }) => other)].map(({ id }) => id),
        dataset: { name: file.name, content: file },
        ingest: ingestSettings(chosen),
        segments,
        options: rest,
      };
      const local = await holder.plan(request, ({ description }) => {
        if (!current()) return;
        const view = viewOfDescription(file.name, description);
        const roles = Object.keys(chosen.roles).length === 0 ? guessRoles(known, view) : null;
        if (roles) {
          void prepare(known, "sealed", { ...chosen, roles });
          return;
        }
        read = true;
        setData({ phase: "ready", thing: view });
        setPlan(busy("Compiling the model and rehearsing it with real encryption, in this browser"));
      });
      if (!current()) return;
      const plan = await holder.planAsShown(local);
      if (!current()) return;
      planned.current = local;
      setPlan({ phase: "ready", thing: { plan, refusal: local.local.refusal } });
    } catch (error) {
      if (!current()) return;
      if (read) setPlan(refused(error));
      else setData(refused(error));
    }
  }

  async function prepareOnServer(
    known: ModelResource,
    wanted: Mode | null,
    chosen: DataChoices,
    current: () => boolean,
  ): Promise<void> {
    const client = fluxClient();
    let dataset: DatasetResource;
    try {
      dataset = await readOnServer(chosen, current);
      if (!current()) return;
      const roles = Object.keys(chosen.roles).length === 0 ? guessRoles(known, dataset) : null;
      if (roles) return await prepare(known, wanted, { ...chosen, roles });
      source.current = { ...source.current, dataset };
      setData({ phase: "ready", thing: dataset });
    } catch (error) {
      if (current()) setData(refused(error));
      return;
    }
    if (wanted === null) return;
    setPlan(
      busy(
        wanted === "public"
          ? "Trying the model on the first records"
          : "Compiling the model and rehearsing it with real encryption",
      ),
    );
    try {
      const privacy = wanted === "public" ? "public" : "encrypted";
      const { plan } = await client.planJob({ ...jobOf(known, dataset), privacy });
      if (current()) setPlan({ phase: "ready", thing: { plan, refusal: refusalOf(plan) } });
    } catch (error) {
      if (current()) setPlan(refused(error));
    }
  }

  function jobOf(known: ModelResource, dataset: DatasetResource) {
    const more = besides.current.members.map(({ model: other }) => other.id);
    const which = more.length === 0 ? { model: known.id } : { models: [known.id, ...more] };
    return { ...which, dataset: dataset.id, ...options() };
  }

  async function readOnServer(chosen: DataChoices, current: () => boolean): Promise<DatasetResource> {
    const client = fluxClient();
    const { file, dataset } = source.current;
    if (dataset && chosen === NO_CHOICES) return dataset;
    let { fileId } = source.current;
    if (!fileId && file) {
      setData(busy(`Uploading ${file.name}`, 0));
      const uploaded = await client.uploadFile(file, file.name, "dataset", {
        onProgress: (bytes) =>
          current() &&
          setData(
            busy(`Uploading ${file.name}, ${formatBytes(bytes)} of ${formatBytes(file.size)}`, bytes / file.size),
          ),
      });
      fileId = uploaded.id;
      source.current = { ...source.current, fileId };
    }
    if (!fileId) throw new Error("no data was taken");
    if (current()) setData(busy("Reading the data"));
    return client.createDataset(datasetRequest(fileId, chosen));
  }

  async function submit() {
    if (model.phase !== "ready" || plan.phase !== "ready" || mode === null) return;
    setSubmitting(true);
    setProblem(null);
    try {
      const job = await (mode === "sealed" ? submitSealed() : submitToServer(model.thing, mode));
      // Within the document, so that this browser's key-holder goes on.
      router.push(job.urls.page);
    } catch (error) {
      setProblem(errorText(error));
      setSubmitting(false);
    }
  }

  async function submitSealed() {
    const local = planned.current;
    if (!local) throw new Error("nothing was planned");
    const accepted = {
      ...local,
      request: { ...local.request, options: { ...local.request.options, accept_fidelity: acceptFidelity } },
    };
    const job = await (await custody()).submit(accepted);
    startRun(job.id);
    return job;
  }

  function submitToServer(known: ModelResource, wanted: "encrypted" | "public") {
    const { dataset } = source.current;
    if (!dataset) throw new Error("no dataset was read");
    return fluxClient().createJob(
      {
        ...jobOf(known, dataset),
        privacy: wanted,
        custody: "coordinator",
        accept_fidelity: acceptFidelity,
      },
      { idempotencyKey: crypto.randomUUID() },
    );
  }

  return {
    model,
    data,
    plan,
    choices,
    mode,
    acceptFidelity,
    submitting,
    problem,
    modelId: model.phase === "ready" ? model.thing.id : null,
    members,
    memberProblem,
    extras,
    /** Why a mode cannot be had. */
    impossible: impossibleModes(
      model.phase === "ready" ? model.thing : null,
      modelFile.current !== null,
      source.current,
      besides.current,
    ),
    takeModelFile,
    takeEarlierModel,
    takeDataFile,
    takeEarlierData,
    takeMemberFile,
    takeEarlierMember,
    dropMember,
    changeExtras,
    changeChoices,
    changeMode,
    dropModel,
    dropData,
    setAcceptFidelity,
    submit,
  };
}

function busy(doing: string, share: number | null = null): Asked<never> {
  return { phase: "busy", doing, share };
}

function refused(error: unknown): Asked<never> {
  const columns = isFluxError(error) && error.code === "dataset_value" ? (error.errors ?? []) : [];
  return { phase: "refused", why: errorText(error), textColumns: columns.map(({ param }) => param) };
}

function refusalOf(plan: Plan): string | null {
  if (plan.privacy === "public" || plan.fidelity.same_answer_rate >= plan.fidelity.wanted) return null;
  const { same_answer_rate: rate, wanted } = plan.fidelity;
  return `Encrypted, this model gives the same answer on ${(100 * rate).toFixed(2)} % of the tried records; wanted are ${(100 * wanted).toFixed(0)} %.`;
}
