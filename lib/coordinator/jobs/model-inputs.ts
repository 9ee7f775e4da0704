/** A stored model's inputs as datasets are bound to them: without the batch axis. */
import type { ModelInput } from "#lib/dataset/bind.ts";
import type { TensorInfo } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { Dtype } from "#lib/protocol/tensors.ts";
import type { ModelRecord } from "#lib/storage/records.ts";

/** @throws FluxError model_unsupported naming the input that cannot be fed from records */
export function modelInputs(model: ModelRecord): ModelInput[] {
  return model.details.inputs.map((input) => recordInput(model, input));
}

function recordInput(model: ModelRecord, input: TensorInfo): ModelInput {
  const dtype = Dtype.safeParse(input.datatype);
  if (!dtype.success) {
    throw new FluxError(
      "model_unsupported",
      `The input "${input.name}" of ${model.name} is ${input.datatype}; inputs may be ${Dtype.options.join(", ")}. Convert the model.`,
      { param: input.name },
    );
  }
  const [batch, ...record] = input.shape;
  if (batch === undefined) {
    throw new FluxError(
      "model_unsupported",
      `The input "${input.name}" of ${model.name} has no batch axis. Export the model with a first axis for the records.`,
      { param: input.name },
    );
  }
  if (batch !== -1 && batch !== 1) {
    throw new FluxError(
      "model_unsupported",
      `The input "${input.name}" of ${model.name} takes exactly ${batch} records at once. Export it with a free batch axis (dynamic_axes in torch.onnx.export).`,
      { param: input.name },
    );
  }
  return { name: input.name, dtype: dtype.data, shape: record.map((axis) => (axis === -1 ? null : axis)) };
}
