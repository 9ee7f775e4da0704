import type { Scenario } from "../scenario.ts";
import { churn } from "./churn.ts";
import { heterogeneous } from "./heterogeneous.ts";
import { regions } from "./regions.ts";
import { slowLinks } from "./slow-links.ts";
import { uniform } from "./uniform.ts";

/** The five that a policy has to stand in every respect. */
export const SCENARIOS: readonly Scenario[] = [uniform, heterogeneous, churn, slowLinks, regions];
