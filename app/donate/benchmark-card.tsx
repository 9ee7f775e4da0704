"use client";
/** The benchmark: what was measured on this machine, and what passed its self-test. */
import type { DonorView } from "#worker/host/donor.ts";
import { Card } from "../components/ui/card.tsx";
import { Row, RUNTIME_NAMES } from "./facts.tsx";
import { formatBytes, formatSi } from "./format.ts";

type Capability = NonNullable<DonorView["capability"]>;
type Runtime = Capability["runtimes"][number];

export function BenchmarkCard({ view }: { view: DonorView }) {
  const { capability } = view;
  return (
    <Card className="p-5">
      <h2 className="text-[1.15rem]">Your browser</h2>
      {capability ? (
        <>
          <p className="mt-3 text-[1.05rem]">{bestOf(capability)}</p>
          <dl className="mt-3 grid gap-2 border-t border-line pt-3 text-[0.95rem]">
            {capability.runtimes.map((runtime) => (
              <Row
                key={runtime.runtime}
                name={RUNTIME_NAMES[runtime.runtime]}
                value={runtime.selfTestPassed ? speeds(runtime) : "failed its self-test, not used"}
                number={runtime.selfTestPassed}
              />
            ))}
            <Row
              name="Processor"
              value={`${capability.logicalCores} cores, ${capability.crossOriginIsolated ? "threads" : "one thread"}`}
            />
            <Row name="Memory it may use" value={formatBytes(capability.memoryBytes)} number />
            <Row name="Download" value={`${formatBytes(capability.downloadBytesPerSecond)}/s`} number />
          </dl>
          <p className="mt-3 text-[0.88rem] text-ink-3">
            Multiply-adds a second, measured {new Date(capability.measuredAt).toLocaleDateString("en")}; again after a
            week.
          </p>
        </>
      ) : (
        <p className="mt-3 text-ink-2">
          Measured once when you start, in about two seconds: each runtime, and the link.
        </p>
      )}
    </Card>
  );
}

/** E.g. "31 G int8 multiply-adds a second on WASM, 2.1 G float32 on WASM": the fastest of each that passed its self-test. */
function bestOf({ runtimes }: Capability): string {
  const best = (speed: (runtime: Runtime) => number, what: string) => {
    const fastest = runtimes.filter(({ selfTestPassed }) => selfTestPassed).toSorted((a, b) => speed(b) - speed(a))[0];
    if (!fastest || speed(fastest) <= 0) return null;
    const where = fastest.runtime.endsWith("webgpu") ? "WebGPU" : "WASM";
    return `${formatSi(speed(fastest))} ${what} multiply-adds a second on ${where}`;
  };
  const parts = [best((one) => one.int8MacsPerSecond, "int8"), best((one) => one.float32MacsPerSecond, "float32")];
  return parts.filter(Boolean).join(", ") || "No runtime passed its self-test here.";
}

function speeds({ int8MacsPerSecond, float32MacsPerSecond }: Runtime) {
  return [
    int8MacsPerSecond > 0 ? `${formatSi(int8MacsPerSecond)} int8` : "",
    float32MacsPerSecond > 0 ? `${formatSi(float32MacsPerSecond)} float32` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}
