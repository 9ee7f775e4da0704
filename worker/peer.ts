/**
 * Calls between two realms over a MessagePort or Worker. Request and answer are tied in a type map, so neither side casts.
 *
 * Every call ends in one of four ways: a result; a coded error from the other side; an abort by the caller; the death of
 * the peer. All but the first reject with a `CallFailure` that says which.
 */

/** `name` → what goes over and what comes back. Everything must be structured-cloneable. */
export type CallMap = Record<string, { request: unknown; answer: unknown }>;

export type CallEnding =
  | { kind: "error"; code: string; detail: string }
  | { kind: "aborted" }
  | { kind: "died"; detail: string };

export class CallFailure extends Error {
  override readonly name = "CallFailure";
  readonly ending: CallEnding;

  constructor(ending: CallEnding) {
    super(ending.kind === "aborted" ? "The call was given up" : ending.detail);
    this.ending = ending;
  }
}

/** What both ends of a wire offer: a Worker, a MessagePort, or a worker's own global scope. */
export interface Wire {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

type Frame<Calls extends CallMap, Notice> =
  | {
      [Name in keyof Calls & string]: { frame: "call"; id: number; name: Name; request: Calls[Name]["request"] };
    }[keyof Calls & string]
  | { frame: "abort"; id: number }
  | { frame: "answer"; id: number; value: Calls[keyof Calls]["answer"] }
  | { frame: "failure"; id: number; code: string; detail: string }
  | { frame: "notice"; notice: Notice };

export interface CallOptions {
  signal?: AbortSignal;
  transfer?: Transferable[];
}

export interface Caller<Calls extends CallMap> {
  call<Name extends keyof Calls & string>(
    name: Name,
    request: Calls[Name]["request"],
    options?: CallOptions,
  ): Promise<Calls[Name]["answer"]>;
  /** Every open and later call fails with `died`: the other realm is gone. */
  die(detail: string): void;
}

interface Open {
  settle(answer: unknown): void;
  fail(ending: CallEnding): void;
}

/** The asking side. `onNotice` gets what the other side says unasked. */
export function createCaller<Calls extends CallMap, Notice = never>(
  wire: Wire,
  onNotice: (notice: Notice) => void = () => {},
): Caller<Calls> {
  const open = new Map<number, Open>();
  let nextId = 1;
  let dead: string | null = null;

  wire.addEventListener("message", (event: MessageEvent<Frame<Calls, Notice>>) => {
    const frame = event.data;
    switch (frame.frame) {
      case "answer":
        open.get(frame.id)?.settle(frame.value);
        return;
      case "failure":
        open.get(frame.id)?.fail({ kind: "error", code: frame.code, detail: frame.detail });
        return;
      case "notice":
        onNotice(frame.notice);
        return;
      default:
        return;
    }
  });

  return {
    call(name, request, { signal, transfer = [] } = {}) {
      return new Promise((resolve, reject) => {
        if (dead !== null) return reject(new CallFailure({ kind: "died", detail: dead }));
        if (signal?.aborted) return reject(new CallFailure({ kind: "aborted" }));
        const id = nextId++;
        const close = (): void => {
          open.delete(id);
          signal?.removeEventListener("abort", abort);
        };
        const abort = (): void => {
          close();
          wire.postMessage({ frame: "abort", id }, []);
          reject(new CallFailure({ kind: "aborted" }));
        };
        open.set(id, {
          settle(answer) {
            close();
            resolve(answer);
          },
          fail(ending) {
            close();
            reject(new CallFailure(ending));
          },
        });
        signal?.addEventListener("abort", abort);
        wire.postMessage({ frame: "call", id, name, request }, transfer);
      });
    },
    die(detail) {
      dead ??= detail;
      for (const call of [...open.values()]) call.fail({ kind: "died", detail: dead });
    },
  };
}

export interface Answered<Value> {
  value: Value;
  transfer?: Transferable[];
}

/** One handler a call. It throws to answer with an error; `signal` aborts when the caller gives up. */
export type Handlers<Calls extends CallMap> = {
  [Name in keyof Calls]: (
    request: Calls[Name]["request"],
    signal: AbortSignal,
  ) => Promise<Answered<Calls[Name]["answer"]>>;
};

/** The answering side. Returns a function that sends a notice. */
export function serveCalls<Calls extends CallMap, Notice = never>(
  wire: Wire,
  handlers: Handlers<Calls>,
  codeOf: (error: unknown) => { code: string; detail: string },
): (notice: Notice) => void {
  const running = new Map<number, AbortController>();

  async function answer<Name extends keyof Calls & string>(
    id: number,
    name: Name,
    request: Calls[Name]["request"],
  ): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const { value, transfer = [] } = await handlers[name](request, controller.signal);
      if (!controller.signal.aborted) wire.postMessage({ frame: "answer", id, value }, transfer);
    } catch (error) {
      if (!controller.signal.aborted) wire.postMessage({ frame: "failure", id, ...codeOf(error) }, []);
    } finally {
      running.delete(id);
    }
  }

  wire.addEventListener("message", (event: MessageEvent<Frame<Calls, Notice>>) => {
    const frame = event.data;
    if (frame.frame === "call") void answer(frame.id, frame.name, frame.request);
    else if (frame.frame === "abort") running.get(frame.id)?.abort();
  });
  return (notice) => wire.postMessage({ frame: "notice", notice }, []);
}
