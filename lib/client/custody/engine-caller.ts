/** The other side of engine.ts: calls with FluxErrors in place of coded failures. */
import { ERROR_CODES, type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import { CallFailure, createCaller, type Wire } from "#worker/peer.ts";
import type { EngineCalls, EngineNotice } from "./engine-calls.ts";

export interface Engine {
  call<Name extends keyof EngineCalls & string>(
    name: Name,
    request: EngineCalls[Name]["request"],
    transfer?: Transferable[],
  ): Promise<EngineCalls[Name]["answer"]>;
  /** Hears how far long calls are. */
  onNotice: ((notice: EngineNotice) => void) | null;
  /** Ends the thread: what it held is gone. */
  close(): Promise<void>;
}

export interface EngineThread {
  readonly wire: Wire;
  /** Calls back when the thread has ended by itself. */
  readonly onDeath: (died: (detail: string) => void) => void;
  readonly end: () => Promise<void>;
}

export function engineOf(thread: EngineThread): Engine {
  const caller = createCaller<EngineCalls, EngineNotice>(thread.wire, (notice) => engine.onNotice?.(notice));
  thread.onDeath((detail) => caller.die(detail));
  const engine: Engine = {
    onNotice: null,
    async call(name, request, transfer = []) {
      try {
        return await caller.call(name, request, { transfer });
      } catch (error) {
        throw error instanceof CallFailure ? asFluxError(error) : error;
      }
    },
    async close() {
      caller.die("the key-holder's thread was ended");
      await thread.end();
    },
  };
  return engine;
}

function asFluxError({ ending }: CallFailure): Error {
  if (ending.kind === "error" && isCode(ending.code)) return new FluxError(ending.code, ending.detail);
  const detail = ending.kind === "aborted" ? "the call was given up" : ending.detail;
  return new Error(`The key-holder's thread failed: ${detail}`);
}

function isCode(code: string): code is ErrorCode {
  return code in ERROR_CODES;
}
