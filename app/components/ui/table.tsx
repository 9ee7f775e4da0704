/** Rows and columns that scroll sideways on a phone, reachable with the keyboard. */
import type { HTMLAttributes, ReactNode, TdHTMLAttributes, ThHTMLAttributes } from "react";

export function Table({ label, className = "", children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard
      tabIndex={0}
      className={`relative overflow-x-auto rounded-lg border border-line ${className}`}
    >
      <table className="w-full border-collapse text-left text-[0.95rem]">{children}</table>
    </section>
  );
}

export function Head({ children }: { children: ReactNode }) {
  return (
    <thead className="bg-sunk text-[0.88rem] text-ink-2">
      <tr>{children}</tr>
    </thead>
  );
}

/** A column's name; right-aligned where the column holds numbers. */
export function Th({
  numeric = false,
  className = "",
  ...rest
}: ThHTMLAttributes<HTMLElement> & { numeric?: boolean }) {
  return (
    <th
      scope="col"
      className={`px-3.5 py-2 font-[560] whitespace-nowrap ${numeric ? "text-right" : "text-left"} ${className}`}
      {...rest}
    />
  );
}

export function Tr({ className = "", ...rest }: HTMLAttributes<HTMLTableRowElement>) {
  return <tr className={`border-t border-line ${className}`} {...rest} />;
}

export function Td({
  numeric = false,
  className = "",
  ...rest
}: TdHTMLAttributes<HTMLElement> & { numeric?: boolean }) {
  return (
    <td className={`px-3.5 py-2.5 ${numeric ? "number text-right whitespace-nowrap" : ""} ${className}`} {...rest} />
  );
}
