/** `flux inspect FILE`: what a model or a dataset is, before anything is uploaded. */
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { inspectDataset } from "#lib/dataset/inspect.ts";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { fileSource } from "#lib/dataset/node/files.ts";
import { encryptedSupport } from "#lib/lanes/compile/encryptable.ts";
import { type LoadedModel, loadModel } from "#lib/model/load.ts";
import { tensorInfo } from "#lib/model/tensor-info.ts";
import type { ColumnSpec, DatasetInspection } from "#lib/protocol/datasets.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { type DatasetOptions, readDatasetOptions } from "./dataset-options.ts";
import { print, printJson, shapeWords } from "./output.ts";
import type { GlobalOptions } from "./settings.ts";

/** Endings that only models have; everything else is looked at as a dataset first. */
const MODEL_ENDINGS = /(\.(onnx|pb|h5|hdf5|keras|tflite|pt|pth|pkl|safetensors|mlmodel)|(^|[/\\])model\.json)$/i;

/** @throws FluxError as the upload would be refused */
export async function inspect(path: string, options: GlobalOptions & DatasetOptions): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new FluxError("invalid_request", `There is no file ${path}: check the path.`);
  if (MODEL_ENDINGS.test(path)) return showModel(path, await modelOf(path, found.size), options);
  try {
    return await showDataset(path, options);
  } catch (error) {
    // A zip may be a TensorFlow.js model or a SavedModel.
    const model = /\.(zip|json)$/i.test(path) ? await modelOf(path, found.size).catch(() => undefined) : undefined;
    if (!model) throw error;
    return showModel(path, model, options);
  }
}

async function modelOf(path: string, bytes: number): Promise<LoadedModel> {
  if (bytes > MODEL_LIMITS.modelBytes) {
    throw new FluxError("model_too_large", `A model file may have up to ${MODEL_LIMITS.modelBytes} bytes.`);
  }
  return loadModel(new Uint8Array(await readFile(path)), basename(path));
}

function showModel(path: string, model: LoadedModel, { json }: GlobalOptions): void {
  const { format, opset, operators, weightsBytes, graph, onnx, tfjs } = model;
  const runtimes = [...(onnx ? ["onnxruntime"] : []), ...(tfjs ? ["tfjs"] : [])];
  const inputs = model.inputs.map(tensorInfo);
  const outputs = model.outputs.map(tensorInfo);
  const encrypted = encryptedSupport(graph);
  if (json) {
    printJson({
      format,
      opset,
      inputs,
      outputs,
      operators,
      weights_bytes: weightsBytes,
      runtimes,
      encrypted,
    });
    return;
  }
  print(
    `${basename(path)}: ${format}${opset === null ? "" : `, opset ${opset}`}, ${(weightsBytes / 1e6).toFixed(2)} MB of weights`,
  );
  print(`  reads      ${inputs.map(shapeWords).join(", ") || "(only TensorFlow.js knows: it is asked at upload)"}`);
  print(`  gives      ${outputs.map(shapeWords).join(", ") || "(likewise)"}`);
  print(`  made of    ${operators.map(({ op, count }) => `${count} ${op}`).join(", ")}`);
  print(`  public     donors run it with ${runtimes.join(" or ")}`);
  const [first = "its operators can be; the plan says how faithfully", ...others] = encrypted.reasons;
  print(`  encrypted  ${encrypted.supported ? "" : "no: "}${first}`);
  for (const reason of others) print(`             ${reason}`);
}

async function showDataset(path: string, options: GlobalOptions & DatasetOptions): Promise<void> {
  const { ingest } = await readDatasetOptions(options);
  await using source = await fileSource(path);
  const found = await inspectDataset(source, { fileName: basename(path), decoders: nodeDecoders, ...ingest });
  if (options.json) return printJson(found);
  print(`${basename(path)}: ${found.format}`);
  for (const { name, dtype, shape } of found.arrays)
    print(`  array   ${name} ${dtype} [${shape.join("×")}] per record`);
  for (const column of found.columns) print(`  ${columnLine(column)}`);
  for (const warning of found.warnings) print(`  note: ${warning}`);
  if (found.suggestion.images) print(`  images  ${JSON.stringify(found.suggestion.images)}`);
  print(
    "To change how it is read: `flux inspect FILE --json > how.json`, edit its suggestion, `flux submit … --preprocessing how.json`.",
  );
}

function columnLine({ name, datatype, examples, missing, suggestion }: DatasetInspection["columns"][number]): string {
  const gaps = missing > 0 ? `, ${missing} missing` : "";
  return `column  ${name}: ${datatype}${gaps}${examples.length > 0 ? ` (${examples.join(", ")})` : ""}${suggested(suggestion)}`;
}

function suggested({ use, encoding, missing }: ColumnSpec): string {
  const parts = [
    ...(use === undefined || use === "feature" ? [] : [use === "ignore" ? "left out" : `the ${use}`]),
    ...(encoding === undefined || encoding.kind === "number"
      ? []
      : [
          encoding.kind === "bool"
            ? "as 1 and 0"
            : `${encoding.kind === "one_hot" ? "one-hot" : "by position"}: ${encoding.categories.slice(0, 8).join(", ")}`,
        ]),
    ...(missing?.kind === "fill" ? [`gaps as ${missing.fill}`] : []),
  ];
  return parts.length > 0 ? ` → ${parts.join(", ")}` : "";
}
