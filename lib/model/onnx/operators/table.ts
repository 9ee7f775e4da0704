/** What an operator's importer is: it reads one node and says what its outputs are. */
import type { ValueId } from "../../graph.ts";
import type { Operand } from "../../operand.ts";
import type { NodeReader } from "../node.ts";

/** One output, or a list for operators with several (undefined: an output that must not be used). */
export type Imported = ValueId | Operand | readonly (ValueId | Operand | undefined)[];
export type OperatorTable = Readonly<Record<string, (node: NodeReader) => Imported>>;
