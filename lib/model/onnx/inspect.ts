/** What an ONNX file is, without asking whether its operators are supported: shown back to the submitter at upload. */

import { describeCode } from "./dtypes.ts";
import type { GraphProto, NodeProto, ValueInfoProto } from "./generated/onnx_pb.ts";
import { isDefaultDomain, type OnnxFile, readOnnx } from "./read.ts";

export interface OnnxPort {
  readonly name: string;
  /** As in DTYPES, or "string", "sequence", … for what only the public mode can run. */
  readonly dtype: string;
  /** Per axis: its length, its name, or null where the file does not say. Undefined: the rank is unknown. */
  readonly shape: readonly (number | string | null)[] | undefined;
}

export interface OnnxInspection {
  readonly opset: number;
  readonly producer: string;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Most frequent first; operators outside the default domain are written `domain::Operator`. Subgraphs included. */
  readonly operators: readonly { readonly op: string; readonly count: number }[];
  readonly weightsBytes: number;
}

/** Throws what `readOnnx` throws. */
export function inspectOnnx(bytes: Uint8Array): OnnxInspection {
  return inspectOnnxFile(readOnnx(bytes));
}

export function inspectOnnxFile(file: OnnxFile): OnnxInspection {
  const counts = new Map<string, number>();
  countOperators(file.graph.node, counts);
  const initializers = new Set(file.graph.initializer.map((tensor) => tensor.name));
  return {
    opset: file.opset,
    producer: [file.model.producerName, file.model.producerVersion].filter((part) => part !== "").join(" "),
    inputs: file.graph.input.filter((port) => !initializers.has(port.name)).map(describePort),
    outputs: file.graph.output.map(describePort),
    operators: [...counts]
      .map(([op, count]) => ({ op, count }))
      .sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1)),
    weightsBytes: file.weightsBytes,
  };
}

function countOperators(nodes: readonly NodeProto[], counts: Map<string, number>): void {
  for (const node of nodes) {
    const op = isDefaultDomain(node.domain) ? node.opType : `${node.domain}::${node.opType}`;
    counts.set(op, (counts.get(op) ?? 0) + 1);
    const subgraphs: readonly (GraphProto | undefined)[] = node.attribute.flatMap((a) => [a.g, ...a.graphs]);
    for (const graph of subgraphs) if (graph) countOperators(graph.node, counts);
  }
}

function describePort(port: ValueInfoProto): OnnxPort {
  const type = port.type?.value;
  if (type?.case !== "tensorType") {
    return { name: port.name, dtype: type?.case?.replace("Type", "") ?? "unknown", shape: undefined };
  }
  const shape = type.value.shape?.dim.map(({ value }) => {
    if (value.case === "dimValue") return Number(value.value);
    return value.case === "dimParam" && value.value !== "" ? value.value : null;
  });
  return { name: port.name, dtype: describeCode(type.value.elemType), shape };
}
