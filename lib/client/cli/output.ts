/** What commands print: text for people on standard error, answers on standard output. */
import type { JobResource, Plan } from "#lib/protocol/api/jobs.ts";
import type { Recipe } from "#lib/protocol/api/recipe.ts";
import type { DatasetResource, ModelResource, TensorInfo } from "#lib/protocol/api/uploads.ts";

/** For people; never on standard output, which may be a file. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The answer itself. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

export function describeModel(model: ModelResource): string {
  const shapes = (tensors: readonly TensorInfo[]) => tensors.map(shapeWords).join(", ");
  return `${model.name}: ${shapes(model.inputs)} → ${shapes(model.outputs)}`;
}

export function shapeWords({ name, datatype, shape }: TensorInfo): string {
  return `${name} ${datatype} [${shape.map((axis) => (axis < 0 ? "any" : axis)).join("×")}]`;
}

export function describeDataset(dataset: DatasetResource): string {
  const features = dataset.features.map(
    ({ name, datatype, shape }) => `${name} ${datatype} [${shape.slice(1).join("×")}]`,
  );
  return `${dataset.name}: ${dataset.records} records, ${features.join(", ")}`;
}

export function describePlan(plan: Plan): string[] {
  const lines = [
    `${plan.microtasks} microtasks, ${round(plan.bytes_per_record_down)} bytes to donors and ${round(plan.bytes_per_record_up)} back per record`,
  ];
  if (plan.privacy === "encrypted") {
    const { fidelity } = plan;
    lines.push(
      `same answers as the plain model: ${(100 * fidelity.same_answer_rate).toFixed(2)} % of ${fidelity.records} records`,
      `per record: ${round(1000 * plan.core_seconds_per_record)} ms of donors' computing, ${round(plan.key_holder_ms_per_record)} ms of encrypting and decrypting, ${round(plan.plain_model_ms_per_record)} ms for the plain model here`,
    );
  }
  if (plan.privacy === "public") {
    for (const { runtime, why } of plan.runtimes) lines.push(`donors run it with ${runtime}: ${why}`);
  }
  const seconds = plan.seconds_with_donors_online;
  lines.push(
    seconds === null
      ? "no donor is online now"
      : `about ${round(seconds)} s with the ${plan.donors_online} donors online now`,
    `donors see: ${plan.donors_see}`,
  );
  return lines;
}

/** Which part of the dataset feeds which input. */
export function describeRecipe({ inputs, notes }: Recipe): string[] {
  return [
    ...inputs.map(({ input, array, columns, shape, scale, offset }) => {
      const named = columns
        ? ` (${columns.slice(0, 8).join(", ")}${columns.length > 8 ? `, … ${columns.length} in all` : ""})`
        : "";
      const affine = scale === 1 && offset === 0 ? "" : ` · ${entryWords(scale)} + ${entryWords(offset)}`;
      return `${input} [${shape.join("×")}] ← ${array}${named}${affine}`;
    }),
    ...notes.map((note) => `note: ${note}`),
  ];
}

function entryWords(entries: number | readonly number[]): string {
  const numbers = typeof entries === "number" ? [entries] : [...new Set(entries)];
  const shown = numbers.slice(0, 3).map((number) => String(Number(number.toPrecision(6))));
  return numbers.length === 1 ? shown.join("") : `[${shown.join(", ")}${numbers.length > 3 ? ", …" : ""}]`;
}

export function describeJob(job: JobResource): string[] {
  const { counts } = job;
  return [
    `${job.id}  ${job.name}`,
    `  status   ${job.status}: ${job.why}`,
    `  privacy  ${job.privacy}, custody: ${job.custody}`,
    `  records  ${counts.records}`,
    `  done     ${counts.units_accepted} of ${counts.units} ${job.privacy === "encrypted" ? "lanes" : "records"}, ${counts.microtasks_accepted} microtasks`,
    `  checked  ${counts.audits} recomputed, ${counts.results_refused} results refused, ${counts.microtasks_quarantined} microtasks set aside`,
  ];
}

export function jobRow(job: JobResource): string {
  const share = job.counts.units === 0 ? 0 : job.counts.units_accepted / job.counts.units;
  const percent = `${Math.floor(100 * share)} %`.padStart(5);
  return `${job.id}  ${job.status.padEnd(11)} ${percent}  ${job.created_at.slice(0, 16).replace("T", " ")}  ${job.name}`;
}

function round(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}
