/** Activations that exporters spell out are recognised, in every association, and only those. */
import { describe, expect, test } from "vitest";
import { GraphBuilder } from "#lib/model/builder.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { BATCH, type GraphOp, type ValueId } from "#lib/model/graph.ts";
import type { NodeDraft } from "#lib/model/shapes.ts";

type Fields<Draft = NodeDraft> = Draft extends NodeDraft ? Omit<Draft, "name" | "source"> : never;

/** Writes formulas as graphs. */
class Formula {
  readonly builder = new GraphBuilder("formula");
  readonly x = this.builder.input("x", [BATCH, 5]);
  #count = 0;

  add(fields: Fields): ValueId {
    return this.builder.add({ ...fields, name: `n${this.#count++}`, source: "Test" } as NodeDraft);
  }
  number(value: number): ValueId {
    return this.builder.scalar(`c${this.#count++}`, Math.fround(value));
  }
  times(a: ValueId, b: ValueId): ValueId {
    return this.add({ op: "mul", a, b });
  }
  plus(a: ValueId, b: ValueId): ValueId {
    return this.add({ op: "add", a, b });
  }
  over(a: ValueId, b: ValueId): ValueId {
    return this.add({ op: "div", a, b });
  }
  erfGate(x: ValueId, byProduct: boolean): ValueId {
    const scaled = byProduct ? this.times(this.number(Math.SQRT1_2), x) : this.over(x, this.number(Math.SQRT2));
    return this.plus(this.number(1), this.add({ op: "erf", x: scaled }));
  }
  tanhGate(x: ValueId, cube: ValueId): ValueId {
    const inner = this.plus(x, this.times(this.number(0.044715), cube));
    return this.plus(
      this.add({ op: "tanh", x: this.times(this.number(Math.sqrt(2 / Math.PI)), inner) }),
      this.number(1),
    );
  }
}

const cases: readonly { name: string; build: (f: Formula) => ValueId; ops: readonly GraphOp[] }[] = [
  {
    name: "gelu: x * 0.5 * (1 + erf(x / √2)), as PyTorch exports it",
    build: (f) => f.times(f.times(f.x, f.erfGate(f.x, false)), f.number(0.5)),
    ops: ["gelu"],
  },
  {
    name: "gelu: (0.5 * x) * gate",
    build: (f) => f.times(f.times(f.number(0.5), f.x), f.erfGate(f.x, true)),
    ops: ["gelu"],
  },
  { name: "gelu: x * gate / 2", build: (f) => f.over(f.times(f.erfGate(f.x, true), f.x), f.number(2)), ops: ["gelu"] },
  {
    name: "gelu of a product",
    build: (f) => {
      const product = f.times(f.x, f.add({ op: "relu", x: f.x }));
      return f.times(f.times(product, f.number(0.5)), f.erfGate(product, false));
    },
    ops: ["relu", "mul", "gelu"],
  },
  {
    name: "gelu tanh with a power",
    build: (f) => f.times(f.times(f.x, f.number(0.5)), f.tanhGate(f.x, f.add({ op: "pow", a: f.x, b: f.number(3) }))),
    ops: ["gelu"],
  },
  {
    name: "gelu tanh with products",
    build: (f) => f.times(f.number(0.5), f.times(f.x, f.tanhGate(f.x, f.times(f.x, f.times(f.x, f.x))))),
    ops: ["gelu"],
  },
  { name: "silu", build: (f) => f.times(f.x, f.add({ op: "sigmoid", x: f.x })), ops: ["silu"] },
  { name: "silu, gate first", build: (f) => f.times(f.add({ op: "sigmoid", x: f.x }), f.x), ops: ["silu"] },
  {
    name: "hardSwish by clip",
    build: (f) => f.over(f.times(f.x, f.add({ op: "clip", x: f.plus(f.x, f.number(3)), min: 0, max: 6 })), f.number(6)),
    ops: ["hardSwish"],
  },
  {
    name: "hardSwish by hardSigmoid",
    build: (f) => f.times(f.x, f.add({ op: "hardSigmoid", x: f.x, alpha: 1 / 6, beta: 0.5 })),
    ops: ["hardSwish"],
  },
  {
    name: "mish",
    build: (f) => f.times(f.x, f.add({ op: "tanh", x: f.add({ op: "softplus", x: f.x }) })),
    ops: ["mish"],
  },
  {
    name: "another factor is not gelu",
    build: (f) => f.times(f.times(f.x, f.erfGate(f.x, false)), f.number(0.6)),
    ops: ["div", "erf", "add", "mul", "mul"],
  },
  {
    name: "a gate of another value is not silu",
    build: (f) => f.times(f.x, f.add({ op: "sigmoid", x: f.add({ op: "neg", x: f.x }) })),
    ops: ["neg", "sigmoid", "mul"],
  },
  { name: "a square stays a product", build: (f) => f.times(f.x, f.x), ops: ["mul"] },
];

describe("fuseActivations", () => {
  test.each(cases.map((entry) => [entry.name, entry] as const))("%s", (_, { build, ops }) => {
    const formula = new Formula();
    const result = build(formula);
    formula.builder.output("out", result);
    const graph = formula.builder.build();
    expect(graph.nodes.map((node) => node.op)).toEqual(ops);

    const feeds = { records: 1, inputs: new Map([["x", [-3, -0.7, 0, 0.4, 2.5]]]) };
    const fused = evaluate(graph, feeds).get("out")!.data;
    const literal = evaluate(formula.builder.build({ fuse: false }), feeds).get("out")!.data;
    for (const [i, value] of fused.entries()) expect(value).toBeCloseTo(literal[i]!, 6);
  });
});
