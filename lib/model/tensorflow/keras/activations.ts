/** Keras activations by the names that configurations use. */
import { z } from "zod";
import type { DraftFields } from "../../emitter.ts";
import type { UnaryNode, ValueId } from "../../graph.ts";
import { type LayerCall, snakeCase } from "./layer.ts";

type UnaryFields = Extract<DraftFields, { x: ValueId }> & { readonly op: UnaryNode["op"] };
type Activation = UnaryFields extends infer Fields ? (Fields extends UnaryFields ? Omit<Fields, "x"> : never) : never;

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  relu: { op: "relu" },
  relu6: { op: "clip", min: 0, max: 6 },
  sigmoid: { op: "sigmoid" },
  tanh: { op: "tanh" },
  softplus: { op: "softplus" },
  softsign: { op: "softsign" },
  elu: { op: "elu", alpha: 1 },
  selu: { op: "selu", alpha: 1.6732632423543772, gamma: 1.0507009873554805 },
  exponential: { op: "exp" },
  swish: { op: "silu" },
  silu: { op: "silu" },
  mish: { op: "mish" },
  gelu: { op: "gelu", approximate: "none" },
  gelu_new: { op: "gelu", approximate: "tanh" },
  leaky_relu: { op: "leakyRelu", alpha: 0.2 },
  hard_swish: { op: "hardSwish" },
  hard_silu: { op: "hardSwish" },
};

/** A name, or in Keras 3 an object that names a function. */
const Named = z.union([
  z.string(),
  z.looseObject({ class_name: z.literal("function"), config: z.string() }).transform((fn) => fn.config),
]);

/** Applies the layer's `activation` setting, or `name`. */
export function activate(layer: LayerCall, x: ValueId, name: unknown = layer.raw("activation")): ValueId {
  if (name === undefined || name === null) return x;
  const parsed = Named.safeParse(name);
  if (!parsed.success) throw layer.malformed("activation");
  const key = snakeCase(parsed.data);
  if (key === "linear") return x;
  if (key === "softmax") return layer.add({ op: "softmax", x, axis: layer.shape(x).length - 1 });
  if (key === "log_softmax") return layer.add({ op: "logSoftmax", x, axis: layer.shape(x).length - 1 });
  if (key === "hard_sigmoid") {
    // Keras 3 redefined it as relu6(x + 3) / 6.
    const slope = layer.kerasVersion >= 3 ? 1 / 6 : 0.2;
    return layer.add({ op: "hardSigmoid", x, alpha: slope, beta: 0.5 });
  }
  const activation = ACTIVATIONS[key];
  if (!activation || !Object.hasOwn(ACTIVATIONS, key)) {
    throw layer.unsupported(
      `its activation "${parsed.data}" is not supported here`,
      `Use one of: ${Object.keys(ACTIVATIONS).join(", ")}, hard_sigmoid, softmax, log_softmax, linear.`,
    );
  }
  return layer.add({ ...activation, x } as DraftFields);
}
