"use client";
/** What this browser did: every accepted microtask with the coordinator's signed receipt, which this page checks itself. */
import { useEffect, useState } from "react";
import { ReceiptKey } from "#lib/protocol/receipts.ts";
import type { LogEntry } from "#worker/host/donor.ts";
import { isReceiptGenuine } from "#worker/host/receipts.ts";
import { call } from "../components/api.ts";
import { Button } from "../components/ui/button.tsx";
import { formatCount } from "./format.ts";

const SHOWN = 8;

export function Log({ log }: { log: readonly LogEntry[] }) {
  const checked = useChecked(log);
  return (
    <section aria-labelledby="log" className="mt-8 border-t border-line pt-5">
      <div className="flex flex-wrap items-baseline justify-between gap-3">
        <h2 id="log" className="text-[1.15rem]">
          What this browser did
        </h2>
        {log.length > 0 ? (
          <Button kind="quiet" size="small" onClick={() => download(log)}>
            Save receipts
          </Button>
        ) : null}
      </div>
      {log.length === 0 ? (
        <p className="mt-2 text-ink-2">
          Each microtask that is verified appears here, with a receipt that the coordinator signed.
        </p>
      ) : (
        <>
          <p className="mt-2 text-[0.95rem] text-ink-2">{inWords(checked)}</p>
          <ol className="mt-3 grid gap-1.5 text-[0.95rem]">
            {log.slice(0, SHOWN).map((entry) => (
              <li
                key={entry.microtaskId}
                className="flex flex-wrap justify-between gap-x-4 border-b border-line pb-1.5"
              >
                <span className="[overflow-wrap:anywhere]">
                  {entry.job?.title ?? "A job"}{" "}
                  <span className="text-ink-3">{entry.job?.privacy === "public" ? "public" : "encrypted"}</span>
                </span>
                <span className="number text-[0.9rem] text-ink-2">
                  {formatCount(entry.units)} {entry.kernel === "lanes" ? "lanes" : "records"} ·{" "}
                  {formatCount(entry.computeMs)} ms · {new Date(entry.atMs).toLocaleTimeString("en")}
                </span>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

interface Checked {
  readonly genuine: number;
  readonly forged: number;
  /** False: this browser cannot check Ed25519 signatures. */
  readonly able: boolean;
}

/** Receipts are checked as they come, each once. */
function useChecked(log: readonly LogEntry[]): Checked {
  const [checked, setChecked] = useState<Checked>({ genuine: 0, forged: 0, able: true });
  const [known] = useState(() => new Set<string>());
  const [key] = useState(() => new KeyOnce());
  useEffect(() => {
    for (const { microtaskId, receipt } of log) {
      if (!receipt || known.has(microtaskId)) continue;
      known.add(microtaskId);
      void key
        .get()
        .then((publicKey) => isReceiptGenuine(receipt, publicKey))
        .then((genuine) =>
          setChecked((before) => ({
            genuine: before.genuine + (genuine ? 1 : 0),
            forged: before.forged + (genuine === false ? 1 : 0),
            able: before.able && genuine !== null,
          })),
        )
        .catch(() => known.delete(microtaskId));
    }
  }, [log, known, key]);
  return checked;
}

/** The public key is asked for when the first receipt is here, and once. */
class KeyOnce {
  #key: Promise<ReceiptKey> | undefined;
  get(): Promise<ReceiptKey> {
    this.#key ??= call("/api/v1/receipts/key").then((value) => ReceiptKey.parse(value));
    return this.#key;
  }
}

function inWords({ genuine, forged, able }: Checked): string {
  if (!able) return "Receipts are kept; this browser cannot check their Ed25519 signatures itself.";
  const good = `${formatCount(genuine)} ${genuine === 1 ? "receipt" : "receipts"} checked here: genuine.`;
  return forged > 0 ? `${good} ${formatCount(forged)} did not fit the coordinator’s key.` : good;
}

function download(log: readonly LogEntry[]): void {
  const text = log.flatMap(({ receipt }) => (receipt ? [JSON.stringify(receipt)] : [])).join("\n");
  saveFile(`${text}\n`, "flux-receipts.jsonl", "application/jsonl");
}

export function saveFile(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
