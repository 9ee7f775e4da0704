/** Buttons and links that look like them. */
import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from "react";

type Kind = "primary" | "quiet" | "danger" | "bare";

type Size = "usual" | "small";

const SHAPE =
  "inline-flex items-center justify-center gap-2 rounded-md font-[560] whitespace-nowrap transition-colors disabled:opacity-50";
const SIZES: Record<Size, string> = {
  usual: "min-h-11 px-4 text-[0.98rem]",
  small: "min-h-9 px-3 text-[0.94rem]",
};
const KINDS: Record<Kind, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong",
  quiet: "border border-line-strong bg-raised text-ink hover:border-ink hover:bg-sunk",
  danger: "border border-bad text-bad hover:bg-bad-wash",
  bare: "text-ink-2 hover:bg-sunk hover:text-ink",
};

export function Button({
  kind = "primary",
  size = "usual",
  className = "",
  type = "button",
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: Kind; size?: Size }) {
  return <button type={type} className={`${SHAPE} ${SIZES[size]} ${KINDS[kind]} ${className}`} {...rest} />;
}

export function ButtonLink({
  kind = "primary",
  size = "usual",
  className = "",
  children,
  ...rest
}: AnchorHTMLAttributes<HTMLAnchorElement> & { kind?: Kind; size?: Size }) {
  return (
    <a className={`${SHAPE} ${SIZES[size]} ${KINDS[kind]} ${className}`} {...rest}>
      {children}
    </a>
  );
}
