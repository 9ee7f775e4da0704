/** Whether the outputs of a job's members can be combined: found before anybody computes. */
import { FluxError } from "#lib/protocol/errors.ts";
import { elementsPerRecord, type RecordTensor } from "#lib/protocol/tensors.ts";

/**
 * @param members what each model gives for a record or segment
 * @throws FluxError dataset_mismatch naming the members that differ
 */
export function checkMembers(
  members: readonly { readonly name: string; readonly outputs: readonly RecordTensor[] }[],
): void {
  const widths = members.map(({ outputs }) => (outputs[0] ? elementsPerRecord(outputs[0]) : 0));
  const other = widths.findIndex((width) => width !== widths[0]);
  if (other < 0) return;
  throw new FluxError(
    "dataset_mismatch",
    `The first output of ${members[0]?.name} has ${widths[0]} values, that of ${members[other]?.name} ${widths[other]}: members of an ensemble answer the same question. Submit one job per model instead.`,
    { param: "models" },
  );
}
