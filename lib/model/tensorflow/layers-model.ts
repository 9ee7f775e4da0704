/** TensorFlow.js layers models → Graph. */
import { z } from "zod";
import type { Graph, Tensor } from "../graph.ts";
import { readKerasConfig } from "./keras/config.ts";
import { importKerasModel, type VariableSource } from "./keras/import.ts";
import type { TfjsModel } from "./model-json.ts";

/** model.json's topology is the configuration itself, or what the converter wrapped around it. */
const Wrapped = z.looseObject({ model_config: z.looseObject({}) });

export function importLayersModel(model: TfjsModel): Graph {
  const wrapped = Wrapped.safeParse(model.topology);
  const config = readKerasConfig(wrapped.success ? wrapped.data.model_config : model.topology);
  const version = z.looseObject({ keras_version: z.string() }).safeParse(model.topology).data?.keras_version ?? "2";
  return importKerasModel(config, byWeightName(model.weights), Number.parseInt(version, 10) || 2);
}

/**
 * Weights are named by layer and variable, with the models around them or scopes in front: `dense/kernel`,
 * `model/dense/kernel`, `dense/kernel:0`.
 */
export function byWeightName(weights: ReadonlyMap<string, Tensor>): VariableSource {
  const byLayer = new Map<string, Tensor>();
  for (const [name, tensor] of weights) {
    const parts = name.replace(/:\d+$/, "").split("/");
    const variable = parts.at(-1) ?? "";
    byLayer.set(`${parts.slice(0, -1).join("/")}\n${variable}`, tensor);
    // The innermost scope alone, unless two layers in different models share it.
    const inner = `${parts.at(-2) ?? ""}\n${variable}`;
    if (!byLayer.has(inner)) byLayer.set(inner, tensor);
  }
  return (path, names) => {
    const layers = path.map(({ layer }) => layer.name);
    return names.map(
      (name) => byLayer.get(`${layers.join("/")}\n${name}`) ?? byLayer.get(`${layers.at(-1) ?? ""}\n${name}`),
    );
  };
}
