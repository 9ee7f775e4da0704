/** TensorFlow.js layers models → Graph. */
import { z } from "zod";
import type { Graph } from "../graph.ts";
import { readKerasConfig } from "./keras/config.ts";
import { importKerasModel } from "./keras/import.ts";
import { byWeightName } from "./keras/variables.ts";
import type { TfjsModel } from "./model-json.ts";

/** model.json's topology is the configuration itself, or what the converter wrapped around it. */
const Wrapped = z.looseObject({ model_config: z.looseObject({}) });

export function importLayersModel(model: TfjsModel): Graph {
  const wrapped = Wrapped.safeParse(model.topology);
  const config = readKerasConfig(wrapped.success ? wrapped.data.model_config : model.topology);
  const version = z.looseObject({ keras_version: z.string() }).safeParse(model.topology).data?.keras_version ?? "2";
  return importKerasModel(config, byWeightName(model.weights), Number.parseInt(version, 10) || 2);
}
