"use client";
/** What was understood of the dataset: the first records as the model will read them, and what each column is for. */
import type { z } from "zod";
import type { PreviewRecord } from "#lib/protocol/datasets.ts";
import { formatCount } from "../../format.ts";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import type { DataChoices } from "./choices.ts";
import type { DatasetView } from "./dataset-view.ts";
import { shapeText } from "./model-facts.tsx";
import { pictureSides, RecordPicture } from "./record-picture.tsx";

type Preview = z.infer<typeof PreviewRecord>;

/** Columns that are asked about one by one; wider tables are features but for label and id. */
const COLUMNS_SHOWN = 24;

export function DatasetFacts({
  dataset,
  choices,
  onChoices,
  onChange,
}: {
  dataset: DatasetView;
  choices: DataChoices;
  onChoices: (choices: DataChoices) => void;
  onChange: () => void;
}) {
  const tabular = dataset.columns.filter(({ datatype }) => datatype !== "tensor");
  const bytes = dataset.features.some(({ datatype }) => datatype === "UINT8");
  return (
    <Card className="p-5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <p className="text-[1.08rem] font-[600] [overflow-wrap:anywhere]">{dataset.name}</p>
        <button type="button" onClick={onChange} className="link">
          Take another
        </button>
      </div>
      <p className="mt-1 text-ink-2">
        <span className="number">{formatCount(dataset.records)}</span> records ·{" "}
        <span className="number text-[0.92rem]">{dataset.features.map(shapeText).join(", ")}</span>
      </p>
      {dataset.warnings.map((warning) => (
        <div key={warning} className="mt-3">
          <Notice tone="info" title={warning} />
        </div>
      ))}
      <PreviewTable dataset={dataset} />
      {bytes ? (
        <label className="mt-4 flex items-start gap-2.5">
          <input
            type="checkbox"
            checked={choices.scaleBytes}
            onChange={(event) => onChoices({ ...choices, scaleBytes: event.target.checked })}
            className="mt-1.5 size-4 accent-(--accent)"
          />
          <span>
            The model was trained on 0 to 1: divide the stored 0 to 255 by 255.
            <span className="block text-[0.92rem] text-ink-3">Leave it off where the model takes 0 to 255.</span>
          </span>
        </label>
      ) : null}
      {tabular.length > 1 ? <LabelAndId dataset={dataset} choices={choices} onChoices={onChoices} /> : null}
      {tabular.length > 1 && tabular.length <= COLUMNS_SHOWN ? (
        <ColumnRoles dataset={dataset} choices={choices} onChoices={onChoices} />
      ) : null}
    </Card>
  );
}

function PreviewTable({ dataset }: { dataset: DatasetView }) {
  const first = dataset.preview[0];
  if (!first) return null;
  const pictures = dataset.preview.flatMap((record) => {
    const array = record.arrays[0];
    const sides = array ? pictureSides(array) : null;
    return array && sides ? [{ record, array, sides }] : [];
  });
  if (pictures.length > 0) {
    return (
      <ul className="mt-4 flex flex-wrap gap-3">
        {pictures.map(({ record, array, sides }) => (
          <li key={record.record}>
            <RecordPicture sides={sides} values={array.values} label={`Record ${record.id}`} />
            <span className="number mt-1 block text-center text-[0.82rem] text-ink-3">{record.label ?? record.id}</span>
          </li>
        ))}
      </ul>
    );
  }
  const names = columnNames(dataset, first);
  return (
    <section
      aria-label="First records"
      className="mt-4 overflow-x-auto rounded-md border border-line"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
      tabIndex={0}
    >
      <table className="number w-full text-[0.85rem]">
        <thead>
          <tr className="border-b border-line bg-sunk text-left text-ink-2">
            {names.map((name) => (
              <th key={name} className="px-3 py-1.5 font-[500] whitespace-nowrap">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {dataset.preview.map((record) => (
            <tr key={record.record} className="border-b border-line last:border-0">
              {cells(record)
                .slice(0, names.length)
                .map((cell, index) => (
                  <td key={names[index]} className="px-3 py-1.5 text-right whitespace-nowrap">
                    {cell}
                  </td>
                ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function columnNames(dataset: DatasetView, first: Preview): string[] {
  const features = dataset.columns.filter(({ role }) => role === "feature").map(({ name }) => name);
  const values = first.arrays.reduce((sum, array) => sum + array.values.length, 0);
  const named = features.length === values ? features : Array.from({ length: values }, (_, index) => String(index));
  return ["record", ...(first.label === null ? [] : ["label"]), ...named].slice(0, 16);
}

function cells(record: Preview): string[] {
  const values = record.arrays.flatMap((array) => array.values);
  return [
    record.id,
    ...(record.label === null ? [] : [String(record.label)]),
    ...values.map((value) => (value === null ? "missing" : String(Number(value.toPrecision(5))))),
  ];
}

/** The two columns that are not read by the model; also where a table is too wide to ask about every column. */
function LabelAndId({
  dataset,
  choices,
  onChoices,
}: {
  dataset: DatasetView;
  choices: DataChoices;
  onChoices: (choices: DataChoices) => void;
}) {
  const set = (role: "label" | "id", name: string) => {
    const freed = dataset.columns.filter((column) => column.role === role).map((column) => [column.name, "feature"]);
    const taken = name === "" ? [] : [[name, role]];
    onChoices({ ...choices, roles: { ...choices.roles, ...Object.fromEntries([...freed, ...taken]) } });
  };
  return (
    <div className="mt-5 flex flex-wrap gap-x-6 gap-y-3">
      {(["label", "id"] as const).map((role) => (
        <label key={role} className="flex items-center gap-2.5 text-[0.97rem]">
          <span>{role === "label" ? "Right answers are in" : "Records are named by"}</span>
          <select
            value={dataset.columns.find((column) => column.role === role)?.name ?? ""}
            onChange={(event) => set(role, event.target.value)}
            className="number min-h-9 max-w-48 rounded-md border border-line-strong bg-paper px-2 text-[0.9rem]"
          >
            <option value="">no column</option>
            {dataset.columns.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ))}
    </div>
  );
}

function ColumnRoles({
  dataset,
  choices,
  onChoices,
}: {
  dataset: DatasetView;
  choices: DataChoices;
  onChoices: (choices: DataChoices) => void;
}) {
  return (
    <details className="mt-4">
      <summary className="text-[0.95rem] text-ink-2 hover:text-ink">What each column is</summary>
      <div className="mt-2 grid gap-2 sm:grid-cols-2 lg:grid-cols-3">
        {dataset.columns.map((column) => (
          <label
            key={column.name}
            className="flex items-center justify-between gap-2 rounded-md border border-line px-3 py-1"
          >
            <span className="min-w-0 truncate" title={column.name}>
              {column.name}
            </span>
            <select
              value={column.role === "ignored" ? "ignore" : column.role}
              onChange={(event) =>
                onChoices({ ...choices, roles: { ...choices.roles, [column.name]: event.target.value } })
              }
              className="min-h-9 rounded-sm bg-raised text-[0.92rem] text-ink-2"
            >
              <option value="feature">feature</option>
              <option value="label">label</option>
              <option value="id">id</option>
              <option value="ignore">left out</option>
            </select>
          </label>
        ))}
      </div>
    </details>
  );
}
