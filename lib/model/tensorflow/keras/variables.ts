/** Finds a layer's variables among weights that are named by scope: TensorFlow.js manifests and legacy HDF5. */
import type { Tensor } from "../../graph.ts";
import type { VariableSource } from "./import.ts";

/** Names are `dense/kernel`, `model/dense/kernel` or `dense/kernel:0`. */
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
