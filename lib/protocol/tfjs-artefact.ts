/**
 * A TensorFlow.js model as one immutable file: its model.json and all weight files in the manifest's order.
 *
 *     u32 LE  bytes of the JSON
 *     JSON    {modelTopology, weightSpecs, format?, signature?}   (tfjs ModelArtifacts without the weights)
 *     bytes   the weight data, up to the end
 */
import { z } from "zod";
import { FluxError } from "./errors.ts";

/** The fields of tfjs's ModelArtifacts that loading needs; weightSpecs keep what tfjs puts there. */
const Topology = z.looseObject({
  modelTopology: z.record(z.string(), z.unknown()),
  weightSpecs: z.array(
    z.looseObject({
      name: z.string(),
      shape: z.array(z.int()),
      dtype: z.enum(["float32", "int32", "bool", "string", "complex64"]),
    }),
  ),
});
export type TfjsTopology = z.infer<typeof Topology>;

export function writeTfjsArtefact(topology: TfjsTopology, weights: Uint8Array): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(topology));
  const file = new Uint8Array(4 + json.length + weights.length);
  new DataView(file.buffer).setUint32(0, json.length, true);
  file.set(json, 4);
  file.set(weights, 4 + json.length);
  return file;
}

/** Throws FluxError("model_unreadable") when the file is not of this form. */
export function readTfjsArtefact(file: Uint8Array<ArrayBuffer>): { topology: TfjsTopology; weights: ArrayBuffer } {
  const jsonBytes = file.length < 4 ? Infinity : new DataView(file.buffer, file.byteOffset).getUint32(0, true);
  if (jsonBytes > file.length - 4) throw new FluxError("model_unreadable", "The TensorFlow.js file is cut short");
  try {
    const topology = Topology.parse(JSON.parse(new TextDecoder().decode(file.subarray(4, 4 + jsonBytes))));
    return { topology, weights: file.slice(4 + jsonBytes).buffer };
  } catch (cause) {
    throw new FluxError("model_unreadable", "The TensorFlow.js file's description cannot be read", { cause });
  }
}
