/** Which of the ways to compute a job can be had with what was taken, and which is the most private of them. */
import type { DatasetResource, ModelResource } from "#lib/protocol/api/uploads.ts";
import type { FileId } from "#lib/protocol/ids.ts";
import type { Extras } from "./extras.ts";
import type { Mode } from "./privacy-choice.tsx";

/** Where the records are: a file of this machine (perhaps uploaded too), or a dataset from before. */
export interface Data {
  readonly file: File | null;
  readonly fileId: FileId | null;
  readonly dataset: DatasetResource | null;
}

export const NO_DATA: Data = { file: null, fileId: null, dataset: null };

/** Another model of an ensemble; its file where it was dropped here. */
export interface Member {
  readonly model: ModelResource;
  readonly file: File | null;
}

/** What a job is made of besides its first model and its data. */
export interface Besides {
  readonly members: readonly Member[];
  readonly extras: Extras;
}

/** The most private mode that there is; none where only public data would do, because that is said by name. */
export function bestMode(model: ModelResource, modelHere: boolean, data: Data, besides: Besides): Mode | null {
  const impossible = impossibleModes(model, modelHere, data, besides);
  if (impossible.sealed === null) return "sealed";
  return impossible.encrypted === null ? "encrypted" : null;
}

/** Why each way cannot be had; null where it can. */
export function impossibleModes(
  model: ModelResource | null,
  modelHere: boolean,
  data: Data,
  { members }: Besides,
): Record<Mode, string | null> {
  const all = [...(model ? [model] : []), ...members.map((member) => member.model)];
  const operators = all.some(({ encrypted }) => !encrypted.supported)
    ? `${all.length > 1 ? "One of the models" : "This model"} has an operator that cannot run on encrypted data (see above).`
    : null;
  const earlier =
    !modelHere || members.some(({ file }) => file === null) || (data !== NO_DATA && !data.file)
      ? "For this, drop models and data as files: the key-holder is this browser."
      : null;
  return { sealed: operators ?? earlier, encrypted: operators, public: null };
}
