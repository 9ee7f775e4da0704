/** Buttons and links that look like them. */
import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from "react";

type Kind = "primary" | "quiet" | "danger" | "bare";

const SHAPE =
  "inline-flex min-h-11 items-center justify-center gap-2 rounded-md px-4 text-[0.98rem] font-[560] transition-colors disabled:opacity-50";
const KINDS: Record<Kind, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong",
  quiet: "border border-line-strong bg-raised text-ink hover:border-ink hover:bg-sunk",
  danger: "border border-bad text-bad hover:bg-bad-wash",
  bare: "text-ink-2 hover:bg-sunk hover:text-ink",
};

export function Button({
  kind = "primary",
  className = "",
  type = "button",
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: Kind }) {
  return <button type={type} className={`${SHAPE} ${KINDS[kind]} ${className}`} {...rest} />;
}

export function ButtonLink({
  kind = "primary",
  className = "",
  children,
  ...rest
}: AnchorHTMLAttributes<HTMLAnchorElement> & { kind?: Kind }) {
  return (
    <a className={`${SHAPE} ${KINDS[kind]} ${className}`} {...rest}>
      {children}
    </a>
  );
}
