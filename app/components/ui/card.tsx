import type { HTMLAttributes } from "react";

/** A sheet of paper on the desk: raised, with a hairline. */
export function Card({ className = "", ...rest }: HTMLAttributes<HTMLDivElement>) {
  return <div className={`rounded-lg border border-line bg-raised ${className}`} {...rest} />;
}
