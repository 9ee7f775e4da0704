"use client";
/** What this tab did and can do, in measured numbers. */
import type { DonorView } from "#worker/host/donor.ts";
import { Card } from "../components/ui/card.tsx";
import { countryName, formatBytes, formatCount, formatShare, formatSi } from "./format.ts";

export function WorkDone({ view }: { view: DonorView }) {
  const { totals } = view;
  return (
    <dl data-units-accepted={totals.unitsAccepted} className="grid grid-cols-2 gap-x-6 gap-y-5 sm:grid-cols-4">
      <Fact name="Verified microtasks" value={formatCount(totals.microtasksAccepted)} />
      <Fact name="Rate" value={formatSi(view.unitsPerSecond)} unit={`${unitName(view)}/s`} />
      <Fact name="Busy, last 10 s" value={formatShare(view.busyShare)} />
      <Fact name="Moved" value={formatBytes(totals.bytesDown + totals.bytesUp)} />
    </dl>
  );
}

function unitName(view: DonorView): string {
  return view.kernel === "lanes" ? "lanes" : "records";
}

function Fact({ name, value, unit }: { name: string; value: string; unit?: string }) {
  return (
    <div>
      <dt className="text-[0.88rem] text-ink-3">{name}</dt>
      <dd className="number text-[1.45rem] leading-tight whitespace-nowrap">
        {value}
        {unit ? <span className="block text-[0.85rem] text-ink-2">{unit}</span> : null}
      </dd>
    </div>
  );
}

export const RUNTIME_NAMES = {
  "lane-simd": "Lanes on WASM SIMD",
  "ort-wasm": "ONNX Runtime on WASM",
  "ort-webgpu": "ONNX Runtime on WebGPU",
  "tfjs-wasm": "TensorFlow.js on WASM",
  "tfjs-webgpu": "TensorFlow.js on WebGPU",
} as const;

export function ThisJob({ view, useRegion }: { view: DonorView; useRegion: boolean }) {
  return (
    <Card className="p-5">
      <h2 className="text-[1.15rem]">Now</h2>
      {view.job && view.working ? (
        <>
          <p className="mt-3 text-[1.05rem] [overflow-wrap:anywhere]">{view.job.title}</p>
          <p className="mt-1 text-ink-2">
            {view.job.privacy === "encrypted"
              ? "Encrypted: this browser computes on numbers that only the key-holder can read."
              : "Public: the submitter declared this data public, so this browser sees it as it is."}
          </p>
        </>
      ) : (
        <p className="mt-3 text-ink-2">No job yet. Its name and whether its data is encrypted or public appear here.</p>
      )}
      <dl className="mt-4 grid gap-2 border-t border-line pt-3 text-[0.95rem]">
        <Row name="Runs on" value={view.runtime ? RUNTIME_NAMES[view.runtime] : "–"} />
        <Row name="Your country" value={countryWords(view, useRegion)} />
        <Row name="Donors online" value={view.donorsOnline === null ? "–" : formatCount(view.donorsOnline)} number />
      </dl>
    </Card>
  );
}

export function Row({ name, value, number = false }: { name: string; value: string; number?: boolean }) {
  return (
    <div className="flex flex-wrap items-baseline justify-between gap-x-4">
      <dt className="text-ink-2">{name}</dt>
      <dd className={number ? "number text-[0.92rem]" : ""}>{value}</dd>
    </div>
  );
}

function countryWords({ phase, country }: DonorView, useRegion: boolean): string {
  if (!useRegion) return "not used";
  if (phase === "idle") return "–";
  return country ? countryName(country) : "unknown";
}
