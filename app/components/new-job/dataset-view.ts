/** A dataset as the page shows it, whether the server read it or this browser did. */
import type { DatasetResource, ModelResource } from "#lib/protocol/api/uploads.ts";
import type { DatasetDescription } from "#lib/protocol/datasets.ts";
import type { DataChoices } from "./choices.ts";

export type DatasetView = Pick<DatasetResource, "name" | "records" | "features" | "columns" | "preview" | "warnings">;

export function viewOfDescription(name: string, description: DatasetDescription): DatasetView {
  return {
    name,
    records: description.records,
    features: description.arrays.map(({ name: array, dtype, shape }) => ({
      name: array,
      datatype: dtype,
      shape: [-1, ...shape],
    })),
    columns: description.columns,
    preview: description.preview.slice(0, 5),
    warnings: description.warnings,
  };
}

/** Names that labels go by. */
const LABEL_NAMES = /^(label|class|target|digit|answer|category|species|y|outcome)s?$/i;
const ID_NAMES = /^(id|name|key|uuid|record)$/i;

/**
 * Which columns must be something else than features, when the file has a few more than the model reads: those named like labels
 * and ids, else one at an end of the table.
 * @returns null where nothing has to be guessed
 */
export function guessRoles(model: ModelResource, data: DatasetView): DataChoices["roles"] | null {
  const wanted = model.inputs.reduce(
    (sum, { shape }) => sum + shape.slice(1).reduce((size, axis) => size * axis, 1),
    0,
  );
  const features = data.columns.filter(({ role, datatype }) => role === "feature" && datatype !== "tensor");
  const spare = features.length - wanted;
  if (wanted <= 0 || spare <= 0 || spare > 2 || data.columns.length !== features.length) return null;
  const roles: Record<string, string> = {};
  const take = (role: string, column: { readonly name: string } | undefined) => {
    if (column && roles[column.name] === undefined && Object.keys(roles).length < spare) roles[column.name] = role;
  };
  take(
    "label",
    features.find(({ name }) => LABEL_NAMES.test(name)),
  );
  take(
    "id",
    features.find(({ name }) => ID_NAMES.test(name)),
  );
  if (!Object.values(roles).includes("label")) take("label", features.at(-1));
  return Object.keys(roles).length === spare ? roles : null;
}
