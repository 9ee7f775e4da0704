/**
 * SavedModel (saved_model.pb and variables/) → Graph: the graph tagged "serve", its default signature, variables from the
 * checkpoint, functions inlined.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import type { ModelFiles } from "../archive.ts";
import type { Graph } from "../graph.ts";
import { decodeProtobuf } from "../protobuf.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { type MetaGraphDef, SavedModelSchema, type SignatureDef, type TensorInfo } from "./generated/tensorflow_pb.ts";
import { importTfGraph } from "./graph/import.ts";
import { TF_DTYPES, type TfPort } from "./graph/nodes.ts";
import { readGraphDef, readShape } from "./graph-def.ts";

const DEFAULT_SIGNATURE = "serving_default";
/** The signature that only starts variables; it has no outputs. */
const INIT_SIGNATURE = "__saved_model_init_op";

/** The path of saved_model.pb among the files, if there is one. */
export function findSavedModel(files: ModelFiles): string | undefined {
  return [...files.keys()].find((name) => name === "saved_model.pb" || name.endsWith("/saved_model.pb"));
}

/** Throws FluxError `model_unreadable`, `model_unsupported`, `model_invalid` or `model_too_large`. */
export function importSavedModel(files: ModelFiles): Graph {
  const path = findSavedModel(files);
  if (path === undefined) {
    throw new FluxError(
      "model_unreadable",
      "There is no saved_model.pb among the files. Zip the whole SavedModel folder.",
    );
  }
  const folder = path.slice(0, -"saved_model.pb".length);
  const saved = decodeProtobuf(SavedModelSchema, files.get(path)!, "a SavedModel");
  const meta = saved.metaGraphs.find((graph) => graph.metaInfoDef?.tags.includes("serve")) ?? saved.metaGraphs[0];
  if (!meta?.graphDef) {
    throw new FluxError(
      "model_unreadable",
      'The SavedModel has no graph for serving. Save it with model.export() or tags=["serve"].',
    );
  }
  const signature = chooseSignature(meta);
  const checkpoint = openVariables(files, folder);
  return importTfGraph({
    name: "saved-model",
    ...readGraphDef(meta.graphDef),
    inputs: ports(signature.inputs),
    outputs: ports(signature.outputs),
    weights: new Map(),
    variable: checkpoint,
  });
}

function chooseSignature(meta: MetaGraphDef): SignatureDef {
  const preferred = meta.signatureDef[DEFAULT_SIGNATURE];
  if (preferred) return preferred;
  const others = Object.entries(meta.signatureDef).filter(([name]) => name !== INIT_SIGNATURE);
  const [only] = others;
  if (only && others.length === 1) return only[1];
  throw new FluxError(
    "model_unsupported",
    `The SavedModel has no signature "${DEFAULT_SIGNATURE}" (it has: ${others.map(([name]) => name).join(", ") || "none"}). Save it with model.export(), or name the signature so.`,
  );
}

/** Ports in the order of their names: protobuf maps have none of their own. */
function ports(infos: Readonly<Record<string, TensorInfo>>): readonly TfPort[] {
  return Object.entries(infos)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, info]) => ({
      name,
      tensor: info.name,
      dtype: TF_DTYPES.get(info.dtype),
      shape: readShape(info.tensorShape),
    }));
}

function openVariables(files: ModelFiles, folder: string): Checkpoint {
  const index = files.get(`${folder}variables/variables.index`);
  // A frozen SavedModel has no variables.
  if (!index) return () => undefined;
  const number = (value: number) => String(value).padStart(5, "0");
  return openCheckpoint(index, (shard, count) =>
    files.get(`${folder}variables/variables.data-${number(shard)}-of-${number(count)}`),
  );
}
