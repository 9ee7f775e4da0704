/** A page's script for browser tests: the lane runtimes and their contract, callable from outside. Bundled by serve-lane-page.ts. */

import type { LaneRuntimeName } from "#lib/lanes/evaluator.ts";
import { type ContractReport, checkLaneRuntime } from "#tests/contract/lane-runtime.ts";
import { openLaneRuntime } from "#worker/kernels/lanes/open-runtime.ts";

export interface LanePage {
  checkLanes(name: LaneRuntimeName, programs: number): Promise<ContractReport>;
}

const page: LanePage = {
  async checkLanes(name, programs) {
    return checkLaneRuntime(await openLaneRuntime(name), programs);
  },
};
Object.assign(globalThis, { lanePage: page });
