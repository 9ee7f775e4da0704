/** A model's inputs as datasets are bound to them: without the batch axis. */
import type { TensorInfo } from "../protocol/api/uploads.ts";
import { FluxError } from "../protocol/errors.ts";
import { Dtype } from "../protocol/tensors.ts";
import type { ModelInput } from "./bind.ts";

export interface NamedInputs {
  readonly name: string;
  readonly inputs: readonly TensorInfo[];
}

/** @throws FluxError model_unsupported naming the input that cannot be fed from records */
export function modelInputs(model: NamedInputs): ModelInput[] {
  return model.inputs.map((input) => recordInput(model, input));
}

function recordInput(model: NamedInputs, input: TensorInfo): ModelInput {
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
