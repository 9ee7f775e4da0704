import { WifiOff } from "lucide-react";

/** Says that what is shown may be old. Keeps its place, so that nothing jumps when it comes and goes. */
export function Offline({ connected }: { connected: boolean }) {
  return (
    <p role="status" className="min-h-6 text-[0.92rem] text-wait">
      {connected ? null : (
        <span className="inline-flex items-center gap-2">
          <WifiOff aria-hidden="true" className="size-4" /> No connection; shown is what was known last. Trying again…
        </span>
      )}
    </p>
  );
}
