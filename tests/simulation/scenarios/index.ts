import type { Scenario } from "../scenario.ts";
import { churn } from "./churn.ts";
import { deadline } from "./deadline.ts";
import { fairness, weights } from "./fairness.ts";
import { heterogeneous } from "./heterogeneous.ts";
import { regions } from "./regions.ts";
import { slowLinks } from "./slow-links.ts";
import { uniform } from "./uniform.ts";

/** The five that a policy has to stand in every respect. */
export const SCENARIOS: readonly Scenario[] = [uniform, heterogeneous, churn, slowLinks, regions];

/** About shares and deadlines rather than the makespan. */
export const SHARING_SCENARIOS: readonly Scenario[] = [fairness, weights, deadline];
