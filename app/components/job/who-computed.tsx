/** Whose browsers computed, on what. Nobody is named; countries only from three donors on. */
import type { JobWork } from "#lib/protocol/api/job-work.ts";
import { countryName, formatCount, formatDuration, formatPercent } from "../../format.ts";
import { Card } from "../ui/card.tsx";

const RUNTIMES: Record<JobWork["runtimes"][number]["runtime"], string> = {
  "lane-simd": "Lane kernel, WebAssembly SIMD",
  "ort-wasm": "onnxruntime, WebAssembly",
  "ort-webgpu": "onnxruntime, WebGPU",
  "tfjs-wasm": "TensorFlow.js, WebAssembly",
  "tfjs-webgpu": "TensorFlow.js, WebGPU",
};

export function WhoComputed({ work }: { work: JobWork }) {
  const { donors, runtimes } = work;
  const units = runtimes.reduce((sum, runtime) => sum + runtime.units, 0);
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.2rem]">Donors</h2>
      {donors.donors === 0 ? (
        <p className="mt-1 text-ink-2">No donor has had a result accepted yet.</p>
      ) : (
        <>
          <p className="mt-1 text-ink-2">
            <span className="number text-ink">{formatCount(donors.donors)}</span>{" "}
            {donors.donors === 1 ? "browser has" : "browsers have"} computed for this job.
          </p>
          <ul className="mt-3 grid gap-2">
            {donors.countries.map(({ country, donors: count }) => (
              <Share
                key={country}
                name={countryName(country)}
                share={count / donors.donors}
                value={formatCount(count)}
              />
            ))}
            {donors.elsewhere > 0 ? (
              <Share
                name={donors.countries.length === 0 ? "Country unknown or not shown" : "Elsewhere"}
                share={donors.elsewhere / donors.donors}
                value={formatCount(donors.elsewhere)}
              />
            ) : null}
          </ul>
          <h3 className="mt-5 text-[1rem]">On what</h3>
          <ul className="mt-2 grid gap-2">
            {runtimes.map(({ runtime, units: own, compute_seconds }) => (
              <Share
                key={runtime}
                name={RUNTIMES[runtime]}
                share={own / Math.max(1, units)}
                value={`${formatPercent(own / Math.max(1, units))} · ${formatDuration(compute_seconds)}`}
              />
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

function Share({ name, share, value }: { name: string; share: number; value: string }) {
  return (
    <li>
      <span className="flex justify-between gap-4 text-[0.96rem]">
        <span>{name}</span>
        <span className="number whitespace-nowrap text-ink-2">{value}</span>
      </span>
      <span aria-hidden="true" className="mt-1 block h-[3px] bg-line">
        <span className="block h-full bg-accent" style={{ width: `${100 * share}%` }} />
      </span>
    </li>
  );
}
