import { Lanes } from "../lanes.tsx";

/** Holds the place of something that is on its way, as tall as it will be. */
export function Skeleton({ label = "Loading", className = "h-24" }: { label?: string; className?: string }) {
  return (
    <div role="status" aria-label={label} className={`w-full ${className}`}>
      <Lanes progress={0} drifting lanes={6} className="size-full opacity-60" />
    </div>
  );
}
