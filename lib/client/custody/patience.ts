/** Calls that wait for a coordinator that does not answer: it restarts, or the link is down. */
import { isFluxError } from "#lib/protocol/errors.ts";

export interface Patience {
  /** @default 10 minutes */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_MS = 600_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** What another try may cure: the coordinator is away, or asks for patience. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "internal", "draining", "rate_limited"]);

/** The same functions, each tried again until it is answered or patience is at its end. */
export function patiently<Calls extends object>(calls: Calls, { patienceMs = DEFAULT_MS, signal }: Patience): Calls {
  return new Proxy(calls, {
    get(target, name, receiver) {
      const call: unknown = Reflect.get(target, name, receiver);
      if (typeof call !== "function") return call;
      return async (...args: unknown[]) => {
        const untilMs = performance.now() + patienceMs;
        for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
          try {
            return await Reflect.apply(call, target, args);
          } catch (error) {
            signal?.throwIfAborted();
            const passing = isFluxError(error) && PASSING.has(error.code);
            if (!passing || performance.now() + pauseMs > untilMs) throw error;
            await new Promise((resolve) => setTimeout(resolve, pauseMs));
          }
        }
      };
    },
  });
}
