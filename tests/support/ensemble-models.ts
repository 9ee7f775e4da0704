/** Members of an ensemble made from one model: the same shape, each with weights of its own. */
import { normal, seeded } from "#lib/aggregation/random.ts";
import type { Graph } from "#lib/model/graph.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";

/** Every weight times 1 + 0.05·z, z standard normal: a few answers in a hundred differ between members. */
const SPREAD = 0.05;

/** @param member 0 is the model itself */
export function ensembleMember(model: Uint8Array, member: number): { graph: Graph; bytes: Uint8Array<ArrayBuffer> } {
  const graph = importOnnx(model);
  if (member > 0) {
    const random = seeded(9_000 + member);
    for (const { data } of graph.constants.values()) {
      if (data.length < 8) continue;
      for (let i = 0; i < data.length; i++) data[i]! *= 1 + SPREAD * normal(random);
    }
  }
  return { graph, bytes: Uint8Array.from(writeOnnx(graph)) };
}
