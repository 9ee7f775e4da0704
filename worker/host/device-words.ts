/** What this device and browser cannot do, what donating here is then like, and why: in words, for the visitor. */
import { type Environment, readEnvironment, wasmThreads } from "../environment.ts";
import type { DonorView } from "../messages.ts";
import { canKeep } from "./keeping.ts";

export interface DeviceFacts {
  readonly environment: Environment;
  /** Settings and the benchmark can be kept here. */
  readonly keeps: boolean;
  readonly visible: boolean;
  readonly capability: DonorView["capability"];
}

export interface DeviceWords {
  readonly name: string;
  readonly meaning: string;
  readonly why: string;
}

/** Of a phone of the smallest kind that browsers still tell apart. */
const LITTLE_MEMORY_GIB = 2;

/** What stays the same as long as the page is open. */
export type Device = Pick<DeviceFacts, "environment" | "keeps">;

export function readDevice(): Device {
  return { environment: readEnvironment(), keeps: canKeep() };
}

/** Empty: nothing is missing. */
export function deviceWords({ environment, keeps, visible, capability }: DeviceFacts): DeviceWords[] {
  const words: (DeviceWords | null)[] = [
    graphics(environment, capability),
    threads(environment),
    environment.cacheStorage && keeps
      ? null
      : {
          name: "No storage",
          meaning:
            "Models are fetched again at each visit, and your settings and the measurement last as long as this tab.",
          why: "This browser keeps nothing for this page: a private window, or site data is blocked.",
        },
    environment.deviceMemoryGiB !== null && environment.deviceMemoryGiB <= LITTLE_MEMORY_GIB
      ? {
          name: `${environment.deviceMemoryGiB} GB of memory`,
          meaning: "Large models go to other donors; this device gets those that fit.",
          why: "Computing takes at most a quarter of the memory, so that your other tabs stay open.",
        }
      : null,
    visible
      ? null
      : {
          name: "Hidden tab",
          meaning: "It gets less work at a time, and finishes it more slowly.",
          why: "Browsers slow hidden tabs down, and this one does not get around that. In a window of its own it stays quick.",
        },
  ];
  return words.filter((word) => word !== null);
}

function graphics(environment: Environment, capability: DeviceFacts["capability"]): DeviceWords | null {
  const meaning = "The graphics card is not used. Models run on the processor; encrypted jobs always do.";
  if (!environment.webGpu)
    return { name: "No WebGPU", meaning, why: "This browser does not offer WebGPU, or its settings switch it off." };
  const tried = capability?.runtimes.filter(({ runtime }) => runtime.endsWith("webgpu"));
  if (!tried || tried.some(({ selfTestPassed }) => selfTestPassed)) return null;
  const why =
    tried.length === 0
      ? "The browser offers WebGPU but found no graphics card for it."
      : "It did not pass its self-test: it gave other numbers than it should, or none.";
  return { name: "No WebGPU here", meaning, why };
}

function threads(environment: Environment): DeviceWords | null {
  if (wasmThreads(environment) > 1) return null;
  const meaning = "One core computes, so a microtask takes longer, and this device gets smaller ones.";
  if (!environment.crossOriginIsolated)
    return { name: "No threads", meaning, why: "This browser does not let the page share memory between threads." };
  return {
    name: "One thread",
    meaning,
    why: `Of ${environment.logicalCores === 1 ? "one core" : `${environment.logicalCores} cores`}, one is kept free for you.`,
  };
}
