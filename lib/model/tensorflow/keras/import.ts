/** Keras configuration + variables → Graph. Where the variables come from (TF.js shards, HDF5) is an argument. */
import { FluxError } from "#lib/protocol/errors.ts";
import { GraphBuilder } from "../../builder.ts";
import { BATCH, type Dim, DTYPES, type DType, type Graph, type Tensor, type ValueId } from "../../graph.ts";
import { removeTransposes } from "../../layout.ts";
import { invalid, unsupported } from "../../shapes.ts";
import type { KerasLayer, KerasModel, TensorRef } from "./config.ts";
import { LayerCall } from "./layer.ts";
import { KERAS_LAYERS } from "./layers.ts";

/** A layer's place: the models around it from the outside in, then itself. */
export type LayerPath = readonly { readonly model: KerasModel; readonly layer: KerasLayer }[];

/** Variables of a layer by name, in the order in which Keras creates them; undefined where there is none. */
export type VariableSource = (path: LayerPath, names: readonly string[]) => readonly (Tensor | undefined)[];

/** Throws FluxError `model_unsupported` or `model_invalid` naming the layer. */
export function importKerasModel(model: KerasModel, variables: VariableSource, kerasVersion: number): Graph {
  const importer = new Importer(new GraphBuilder(model.name), variables, kerasVersion);
  return removeTransposes(importer.run(model));
}

class Importer {
  readonly #builder: GraphBuilder;
  readonly #variables: VariableSource;
  readonly #kerasVersion: number;

  constructor(builder: GraphBuilder, variables: VariableSource, kerasVersion: number) {
    this.#builder = builder;
    this.#variables = variables;
    this.#kerasVersion = kerasVersion;
  }

  run(model: KerasModel): Graph {
    const inputs = model.inputs.map((ref) => this.#input(layerOf(model, ref)));
    const outputs = this.#model(model, inputs, []);
    const names = model.outputs.map((ref) => ref.layer);
    for (const [index, id] of outputs.entries()) {
      const name = names[index]!;
      const earlier = names.slice(0, index).filter((other) => other === name).length;
      this.#builder.output(earlier === 0 ? name : `${name}_${earlier}`, id);
    }
    return this.#builder.build();
  }

  #input(layer: KerasLayer): ValueId {
    const declared = layer.config.batch_input_shape ?? layer.config.batch_shape;
    const dtype = typeof layer.config.dtype === "string" ? layer.config.dtype : "float32";
    if (!isDtype(dtype)) {
      throw unsupported(named(layer), `reads ${dtype}`, "Convert text and categories to numbers before the model.");
    }
    if (!Array.isArray(declared) || declared.length === 0) {
      throw unsupported(
        named(layer),
        "has no shape",
        "Build the model with an Input(shape=…) or input_shape=… and save it again.",
      );
    }
    const [batch, ...rest] = declared;
    if (batch !== null && batch !== 1) {
      throw unsupported(
        named(layer),
        `fixes the batch to ${batch}`,
        "Build the model without batch_size and save it again.",
      );
    }
    const shape = rest.map((dim: unknown, index): Dim => {
      if (typeof dim === "number" && Number.isInteger(dim) && dim > 0) return dim;
      throw unsupported(
        named(layer),
        `has shape [${declared.map((entry) => entry ?? "?").join(", ")}]: axis ${index + 1} is open, and only the batch axis may be`,
        `Build the model with a fixed length for axis ${index + 1} and save it again.`,
      );
    });
    return this.#builder.input(layer.name, [BATCH, ...shape], dtype);
  }

  /** Places a model's layers; returns its outputs. Calls wait until their inputs are there. */
  #model(model: KerasModel, inputs: readonly ValueId[], path: LayerPath): readonly ValueId[] {
    const values = new Map<string, ValueId>();
    for (const [index, ref] of model.inputs.entries()) values.set(keyOf(ref), inputs[index]!);
    let waiting = model.layers.flatMap((layer) => {
      const first = firstCall(model, layer);
      return layer.calls.map((refs, index) => ({ layer, refs, call: first + index }));
    });
    waiting = waiting.filter(({ layer, call }) => !values.has(keyOf({ layer: layer.name, call, tensor: 0 })));
    while (waiting.length > 0) {
      const blocked: typeof waiting = [];
      for (const next of waiting) {
        const found = next.refs.map((ref) => values.get(keyOf(ref)));
        if (!found.every((id) => id !== undefined)) {
          blocked.push(next);
          continue;
        }
        const outputs = this.#call(next.layer, found, [...path, { model, layer: next.layer }]);
        for (const [tensor, id] of outputs.entries()) {
          values.set(keyOf({ layer: next.layer.name, call: next.call, tensor }), id);
        }
      }
      if (blocked.length === waiting.length) {
        const [stuck] = blocked;
        throw invalid(named(stuck!.layer), "reads a value that no layer makes");
      }
      waiting = blocked;
    }
    return model.outputs.map((ref) => {
      const id = values.get(keyOf(ref));
      if (id === undefined) throw invalid(named(layerOf(model, ref)), "is an output that no layer makes");
      return id;
    });
  }

  #call(layer: KerasLayer, inputs: readonly ValueId[], path: LayerPath): readonly ValueId[] {
    if (layer.inner) {
      if (inputs.length !== layer.inner.inputs.length) throw invalid(named(layer), `reads ${inputs.length} values`);
      return this.#model(layer.inner, inputs, path);
    }
    // An input layer in the middle (a nested Sequential model's own) passes its value on.
    if (layer.className === "InputLayer") return inputs;
    const importLayer = Object.hasOwn(KERAS_LAYERS, layer.className) ? KERAS_LAYERS[layer.className] : undefined;
    if (!importLayer) {
      throw unsupported(named(layer), `the layer ${layer.className} is not supported here`, remedyFor(layer.className));
    }
    const find = (names: readonly string[]) => this.#variables(path, names);
    return [importLayer(new LayerCall(this.#builder, layer, inputs, find, this.#kerasVersion))];
  }
}

/**
 * The number of a layer's first listed call. A model that is used as a layer often starts at 1: its own construction was
 * call 0 and is not listed. Every listed call is read by something, so the highest reference tells.
 */
function firstCall(model: KerasModel, layer: KerasLayer): number {
  if (!layer.inner) return 0;
  const refs = [...model.outputs, ...model.layers.flatMap((reader) => reader.calls.flat())];
  const highest = refs.reduce((call, ref) => (ref.layer === layer.name ? Math.max(call, ref.call) : call), 0);
  return highest >= layer.calls.length ? 1 : 0;
}

function named(layer: KerasLayer) {
  return { name: layer.name, source: layer.className };
}

function layerOf(model: KerasModel, ref: TensorRef): KerasLayer {
  const layer = model.layers.find((candidate) => candidate.name === ref.layer);
  if (layer) return layer;
  throw new FluxError("model_invalid", `The model names a layer "${ref.layer}" that it does not have. Save it again.`);
}

function keyOf(ref: TensorRef): string {
  return `${ref.layer}\n${ref.call}\n${ref.tensor}`;
}

function isDtype(text: string): text is DType {
  return DTYPES.some((dtype) => dtype === text);
}

function remedyFor(className: string): string {
  if (/^(LSTM|GRU|SimpleRNN|RNN|Bidirectional|ConvLSTM|TimeDistributed)/.test(className)) {
    return "Replace recurrence by Conv1D or dense layers.";
  }
  if (className === "Lambda") return "Its code is not in the file: use layers instead, or export as ONNX (tf2onnx).";
  if (className === "Embedding") return "Look the embedding up before the model, and feed the vectors.";
  return 'Replace it by supported layers, or, for data that is public anyway, submit with privacy "public".';
}
