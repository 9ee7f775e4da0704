/**
 * A Keras model's configuration, whichever Keras wrote it: TensorFlow.js and Keras 2 (`inbound_nodes` as nested lists,
 * `batch_input_shape`) and Keras 3 (`__keras_tensor__` arguments, `batch_shape`). Sequential models become functional.
 */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";

/** Output `tensor` of call `call` of a layer; layers that are shared are called several times. */
export interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** The inputs of each call. An input layer has none. */
  readonly calls: readonly (readonly TensorRef[])[];
  /** The model inside, where a layer is a model itself. */
  readonly inner: KerasModel | undefined;
}

export interface KerasModel {
  readonly className: string;
  readonly name: string;
  readonly layers: readonly KerasLayer[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

const ModelJson = z.looseObject({ class_name: z.string(), config: z.unknown() });
const LayerJson = z.looseObject({
  class_name: z.string(),
  name: z.string().nullish(),
  config: z.unknown(),
  inbound_nodes: z.array(z.unknown()).nullish(),
});
const SequentialConfig = z.union([
  z.array(LayerJson).transform((layers) => ({ name: "sequential", layers })),
  z.looseObject({ name: z.string().default("sequential"), layers: z.array(LayerJson) }),
]);
const FunctionalConfig = z.looseObject({
  name: z.string().default("model"),
  layers: z.array(LayerJson),
  input_layers: z.unknown(),
  output_layers: z.unknown(),
});
const Settings = z.looseObject({ name: z.string().optional() });

const MODEL_CLASSES: ReadonlySet<string> = new Set(["Sequential", "Functional", "Model"]);

/** Throws `model_unreadable` (not a Keras configuration) or `model_unsupported` (a subclassed model). */
export function readKerasConfig(json: unknown): KerasModel {
  return readModel(json, { layers: 0 }, 0);
}

function readModel(json: unknown, count: { layers: number }, depth: number): KerasModel {
  if (depth > MODEL_LIMITS.nesting) {
    throw new FluxError(
      "model_too_large",
      `Models nest deeper than ${MODEL_LIMITS.nesting} levels. Flatten the model.`,
    );
  }
  const { class_name: className, config } = parse(ModelJson, json, "the model's configuration");
  if (!MODEL_CLASSES.has(className)) {
    throw new FluxError(
      "model_unsupported",
      `The model is of class ${className}, whose code is not in the file. Build it with the Sequential or functional API, or export it as ONNX (tf2onnx).`,
    );
  }
  const read = className === "Sequential" ? readSequential : readFunctional;
  return read(className, config, (layer) => {
    count.layers++;
    if (count.layers > MODEL_LIMITS.kerasLayers) {
      throw new FluxError("model_too_large", `The model has more than ${MODEL_LIMITS.kerasLayers} layers.`);
    }
    const isModel = MODEL_CLASSES.has(layer.class_name);
    const inner = isModel ? readModel(layer, count, depth + 1) : undefined;
    const settings = isModel ? {} : parse(Settings, layer.config, `layer "${layer.name ?? layer.class_name}"`);
    const name = layer.name ?? (inner ? inner.name : (settings.name as string | undefined));
    if (name === undefined || name.length > MODEL_LIMITS.nameChars) throw malformed("a layer has no usable name");
    return { className: layer.class_name, name, config: settings, inner };
  });
}

type LayerReader = (layer: z.infer<typeof LayerJson>) => Omit<KerasLayer, "calls">;

/** A chain: every layer reads the one before. An input layer is made up where the file has none. */
function readSequential(className: string, config: unknown, readLayer: LayerReader): KerasModel {
  const { name, layers } = parse(SequentialConfig, config, "the Sequential model");
  const chain: KerasLayer[] = [];
  for (const json of layers) {
    const layer = readLayer(json);
    if (chain.length === 0 && layer.className !== "InputLayer") {
      const shape = firstShape(layer, config);
      chain.push({
        className: "InputLayer",
        name: `${layer.name}_input`,
        config: { batch_shape: shape, dtype: layer.config.dtype },
        calls: [[]],
        inner: undefined,
      });
    }
    const before = chain.at(-1);
    chain.push({ ...layer, calls: [before ? [{ layer: before.name, call: 0, tensor: 0 }] : []] });
  }
  const [first, last] = [chain[0], chain.at(-1)];
  if (!first || !last) throw malformed("the Sequential model has no layers");
  return {
    className,
    name,
    layers: chain,
    inputs: [{ layer: first.name, call: 0, tensor: 0 }],
    outputs: [{ layer: last.name, call: 0, tensor: 0 }],
  };
}

/** Where a Sequential model says what it reads: at its first layer, at the model inside it, or at itself. */
function firstShape(layer: Omit<KerasLayer, "calls">, config: unknown): unknown {
  const own = layer.config.batch_input_shape ?? layer.config.batch_shape;
  if (own !== undefined && own !== null) return own;
  if (layer.inner) {
    const input = layer.inner.layers.find((inner) => inner.name === layer.inner!.inputs[0]?.layer);
    return input?.config.batch_input_shape ?? input?.config.batch_shape;
  }
  return z.looseObject({ build_input_shape: z.unknown() }).safeParse(config).data?.build_input_shape;
}

function readFunctional(className: string, config: unknown, readLayer: LayerReader): KerasModel {
  const { name, layers, input_layers, output_layers } = parse(FunctionalConfig, config, "the functional model");
  return {
    className,
    name,
    layers: layers.map((json) => {
      const layer = readLayer(json);
      const calls = (json.inbound_nodes ?? []).map((node) => readCall(node, layer.name));
      return { ...layer, calls: calls.length > 0 ? calls : [[]] };
    }),
    inputs: readRefs(input_layers),
    outputs: readRefs(output_layers),
  };
}

// ---------------------------------------------------------------- references

const Ref = z.tuple([z.string(), z.int().nonnegative(), z.int().nonnegative()]).rest(z.unknown());
const KerasTensor = z.looseObject({
  class_name: z.literal("__keras_tensor__"),
  config: z.looseObject({ keras_history: Ref }),
});
const CallV3 = z.looseObject({ args: z.array(z.unknown()), kwargs: z.record(z.string(), z.unknown()).default({}) });

/** `input_layers` and `output_layers`: one reference or a list of them. */
function readRefs(json: unknown): readonly TensorRef[] {
  const single = Ref.safeParse(json);
  if (single.success) return [refOf(single.data)];
  return parse(z.array(Ref), json, "the model's inputs and outputs").map(refOf);
}

function refOf([layer, call, tensor]: z.infer<typeof Ref>): TensorRef {
  return { layer, call, tensor };
}

function readCall(node: unknown, layer: string): readonly TensorRef[] {
  const modern = CallV3.safeParse(node);
  if (modern.success) {
    if (findTensors(Object.values(modern.data.kwargs)).length > 0) throw keywordTensors(layer);
    return findTensors(modern.data.args);
  }
  const single = Ref.safeParse(node);
  const refs = single.success ? [single.data] : parse(z.array(Ref), node, `the inputs of layer "${layer}"`);
  return refs.map((ref) => {
    const keywords = ref[3];
    if (keywords && typeof keywords === "object" && findLists(keywords)) throw keywordTensors(layer);
    return refOf(ref);
  });
}

function keywordTensors(layer: string): FluxError {
  return new FluxError(
    "model_unsupported",
    `Layer "${layer}" takes tensors as keyword arguments. Pass them in one list, or export the model as ONNX (tf2onnx).`,
    { param: layer },
  );
}

/** Keras 2 writes a tensor in a keyword as [name, node, tensor]. */
function findLists(keywords: object): boolean {
  return Object.values(keywords).some((value) => Ref.safeParse(value).success);
}

function findTensors(values: readonly unknown[]): readonly TensorRef[] {
  return values.flatMap((value) => {
    const tensor = KerasTensor.safeParse(value);
    if (tensor.success) return [refOf(tensor.data.config.keras_history)];
    return Array.isArray(value) ? findTensors(value) : [];
  });
}

// ---------------------------------------------------------------- errors

function parse<Schema extends z.ZodType>(schema: Schema, json: unknown, what: string): z.infer<Schema> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(`${what}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? "is malformed"}`);
}

function malformed(what: string): FluxError {
  return new FluxError(
    "model_unreadable",
    `Not a Keras model that can be read: ${what}. Save it again with model.save().`,
  );
}
