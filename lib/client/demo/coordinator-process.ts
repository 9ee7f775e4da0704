/** A coordinator in a process of its own, as `npm start` runs it: for the demo and for tests that kill it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface CoordinatorProcess {
  readonly url: string;
  /** Only at the first start on a data folder. */
  readonly apiKey: string | null;
  readonly child: ChildProcess;
  /** SIGTERM, as an operator would. Resolves when the process has ended. */
  stop(): Promise<void>;
}

export interface CoordinatorProcessOptions {
  /** The script and its arguments, relative to the project folder. */
  readonly script: readonly string[];
  readonly projectFolder: string;
  readonly dataFolder: string;
  /** Null: the next free one. */
  readonly port?: number | null;
  readonly onLog?: (line: string) => void;
}

const READY = /^Flux runs at (\S+)$/;
const KEY = /^API key (flux_sk_\S+)$/;

/** Resolves when the coordinator serves. Rejects with its last words when it ends before. */
export function startCoordinatorProcess(options: CoordinatorProcessOptions): Promise<CoordinatorProcess> {
  const { script, projectFolder, dataFolder, port = null, onLog = () => {} } = options;
  const child = spawn(process.execPath, [...script], {
    cwd: projectFolder,
    env: {
      ...process.env,
      NODE_ENV: "production",
      FLUX_DATA: dataFolder,
      FLUX_LOG_LEVEL: "warn",
      PORT: port === null ? "" : String(port),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    const words: string[] = [];
    let apiKey: string | null = null;
    const hear = (line: string) => {
      words.push(line);
      onLog(line);
      apiKey = KEY.exec(line)?.[1] ?? apiKey;
      // The key, where there is one, is printed before the addresses.
      const url = READY.exec(line)?.[1];
      if (url) resolve({ url, apiKey, child, stop: () => stop(child) });
    };
    createInterface({ input: child.stdout }).on("line", hear);
    createInterface({ input: child.stderr }).on("line", hear);
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`the coordinator ended with ${code}: ${words.slice(-5).join(" / ")}`)),
    );
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  return ended;
}
