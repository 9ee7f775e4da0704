import type { ReactNode } from "react";

/** Signing up and in: one narrow column. */
export default function AccountLayout({ children }: { children: ReactNode }) {
  return <div className="mx-auto max-w-lg px-4 pt-12 sm:px-6 sm:pt-16">{children}</div>;
}
