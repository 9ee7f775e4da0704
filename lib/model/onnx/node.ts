/** One ONNX node as the operator tables see it: typed inputs and attributes, every refusal naming the node. */
import { isFieldSet } from "@bufbuild/protobuf";
import type { GraphBuilder } from "../builder.ts";
import { type DraftFields, Emitter } from "../emitter.ts";
import type { Dim, DType, Tensor, ValueId } from "../graph.ts";
import { type Operand, operandOfDims } from "../operand.ts";
import { invalid } from "../shapes.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type NodeProto,
} from "./generated/onnx_pb.ts";
import { readTensor } from "./tensors.ts";

export interface ImportScope {
  readonly builder: GraphBuilder;
  readonly opset: number;
  /** The file fixes the batch to 1, so a leading 1 in a reshape is the batch. */
  readonly fixedBatch: boolean;
  readonly operands: ReadonlyMap<string, Operand>;
}

const decoder = new TextDecoder();

export class NodeReader extends Emitter {
  readonly outputs: readonly string[];
  readonly scope: ImportScope;
  readonly #inputs: readonly string[];
  readonly #attributes: Map<string, AttributeProto>;

  constructor(proto: NodeProto, scope: ImportScope) {
    const name = proto.name !== "" ? proto.name : (proto.output.find((output) => output !== "") ?? "unnamed");
    super(scope.builder, name, proto.opType);
    this.outputs = proto.output;
    this.scope = scope;
    this.#inputs = proto.input;
    this.#attributes = new Map(proto.attribute.map((attribute) => [attribute.name, attribute]));
  }

  // -------------------------------------------------------------- inputs

  get inputCount(): number {
    return this.#inputs.length;
  }

  has(index: number): boolean {
    return (this.#inputs[index] ?? "") !== "";
  }

  operand(index: number): Operand {
    const name = this.#inputs[index] ?? "";
    if (name === "") throw invalid(this, `input ${index} is missing`);
    const operand = this.scope.operands.get(name);
    if (!operand) throw invalid(this, `reads "${name}", which nothing before it makes`);
    return operand;
  }

  value(index: number): ValueId {
    const operand = this.operand(index);
    if (operand.kind === "value") return operand.id;
    throw this.unsupported(
      "computes with the batch size",
      "Export the model so that only axis 0 depends on the batch, for example with torch.flatten(x, 1) instead of x.view(…).",
    );
  }

  optional(index: number): ValueId | undefined {
    return this.has(index) ? this.value(index) : undefined;
  }

  /** The shape of input `index`. */
  inputShape(index: number): readonly Dim[] {
    const operand = this.operand(index);
    if (operand.kind === "value") return this.builder.shape(operand.id);
    return operand.scalar ? [] : [operand.dims.length];
  }

  rank(index: number): number {
    return this.inputShape(index).length;
  }

  constant(index: number): Tensor {
    const tensor = this.builder.constantOf(this.value(index));
    if (tensor) return tensor;
    throw this.unsupported(
      `needs a constant as input ${index}, but "${this.#inputs[index]}" depends on the data`,
      "Use fixed sizes and indices in the model's code and export again.",
    );
  }

  /** A constant vector or scalar of integers. */
  integers(index: number): readonly number[] {
    return Array.from(this.constant(index).data);
  }

  optionalIntegers(index: number): readonly number[] | undefined {
    return this.has(index) ? this.integers(index) : undefined;
  }

  number(index: number): number {
    const [value] = this.constant(index).data;
    if (value === undefined) throw invalid(this, `input ${index} is empty`);
    return value;
  }

  /** A vector of axis lengths, constant or with the batch in it. */
  dims(index: number): readonly Dim[] {
    const operand = this.operand(index);
    return operand.kind === "dims" ? operand.dims : this.integers(index);
  }

  // -------------------------------------------------------------- attributes (each may be read once)

  int(name: string): number | undefined;
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined {
    const attribute = this.#take(name, AttributeType.INT);
    return attribute ? Number(attribute.i) : fallback;
  }

  flag(name: string, fallback = false): boolean {
    return this.int(name, fallback ? 1 : 0) !== 0;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#take(name, AttributeType.INTS)?.ints.map(Number);
  }

  float(name: string): number | undefined;
  float(name: string, fallback: number): number;
  float(name: string, fallback?: number): number | undefined {
    const value = this.#take(name, AttributeType.FLOAT)?.f ?? fallback;
    if (value !== undefined && !Number.isFinite(value)) throw invalid(this, `attribute "${name}" is ${value}`);
    return value;
  }

  floats(name: string): readonly number[] | undefined {
    return this.#take(name, AttributeType.FLOATS)?.floats;
  }

  text(name: string, fallback: string): string {
    const attribute = this.#take(name, AttributeType.STRING);
    return attribute ? decoder.decode(attribute.s) : fallback;
  }

  tensor(name: string): { dtype: DType; tensor: Tensor } | undefined {
    const attribute = this.#take(name, AttributeType.TENSOR);
    return attribute?.t && readTensor(attribute.t, `attribute "${name}" of ${this.source} "${this.name}"`);
  }

  /** An attribute that nobody read changes the meaning in a way that this importer does not know. */
  refuseUnreadAttributes(): void {
    const [unread] = this.#attributes.keys();
    if (unread === undefined) return;
    throw this.unsupported(
      `has the attribute "${unread}", which is not supported here`,
      "Export with opset 17 and without custom attributes.",
    );
  }

  #take(name: string, type: number): AttributeProto | undefined {
    const attribute = this.#attributes.get(name);
    if (!attribute) return undefined;
    this.#attributes.delete(name);
    const declared = isFieldSet(attribute, AttributeProtoSchema.field.type) ? attribute.type : type;
    if (declared !== type) throw invalid(this, `attribute "${name}" has the wrong type`);
    return attribute;
  }

  // -------------------------------------------------------------- writing

  /** Adds a graph node under this node's name; its value takes the name of the first output. */
  override add(fields: DraftFields, id: string = this.outputs[0] ?? this.name): ValueId {
    return super.add(fields, id);
  }

  /** A constant that the lowering needs. */
  number32(value: number): ValueId {
    return this.scalar("constant", value);
  }
}

/** Axis lengths as the node's first output. */
export function dimsOperand(node: NodeReader, dims: readonly Dim[], scalar = false): Operand {
  return operandOfDims(node.builder, node.outputs[0] ?? node.name, dims, scalar);
}
