/** Adds graph nodes on behalf of one node or layer of a source file, under its name. */
import type { GraphBuilder } from "./builder.ts";
import type { GraphNode, Shape, Tensor, ValueId } from "./graph.ts";
import { invalid, type NodeDraft, unsupported } from "./shapes.ts";

/** A draft without what the emitter fills in. */
export type DraftFields<Node extends GraphNode = GraphNode> = Node extends GraphNode
  ? Omit<Node, "output" | "name" | "source">
  : never;

export class Emitter {
  readonly builder: GraphBuilder;
  readonly name: string;
  readonly source: string;

  constructor(builder: GraphBuilder, name: string, source: string) {
    this.builder = builder;
    this.name = name;
    this.source = source;
  }

  add(fields: DraftFields, id: string = this.name): ValueId {
    return this.builder.add({ ...fields, name: this.name, source: this.source } as NodeDraft, id);
  }

  weights(role: string, tensor: Tensor): ValueId {
    return this.builder.constant(`${this.name}/${role}`, tensor);
  }

  scalar(role: string, value: number): ValueId {
    return this.builder.scalar(`${this.name}/${role}`, value);
  }

  shape(id: ValueId): Shape {
    return this.builder.shape(id);
  }

  /** Turns a negative axis into its position. */
  axis(axis: number, rank: number): number {
    const position = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(position) || position < 0 || position >= rank) {
      throw this.invalid(`axis ${axis} does not exist in ${rank} axes`);
    }
    return position;
  }

  /** Sorted positions of distinct axes. */
  axes(axes: readonly number[], rank: number): readonly number[] {
    const positions = [...new Set(axes.map((axis) => this.axis(axis, rank)))].sort((a, b) => a - b);
    if (positions.length !== axes.length) throw this.invalid(`names an axis twice: ${axes.join(", ")}`);
    return positions;
  }

  invalid(why: string) {
    return invalid(this, why);
  }

  unsupported(why: string, remedy: string) {
    return unsupported(this, why, remedy);
  }
}
