import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { hasScope } from "#lib/coordinator/identity.ts";
import { SignIn } from "../components/account/sign-in.tsx";
import { OperatorNav } from "../components/operator/nav.tsx";
import { SignOut } from "../components/sign-out.tsx";
import { signedIn } from "../session.ts";

export const metadata = { title: { default: "Operator", template: "%s · Operator · Flux" } };

/** For admins alone; to everybody else there is nothing here. */
export default async function OperatorLayout({ children }: { children: ReactNode }) {
  const caller = await signedIn();
  if (!caller) {
    return (
      <div className="mx-auto max-w-lg px-4 pt-12 sm:px-6 sm:pt-16">
        <SignIn next="/operator" />
      </div>
    );
  }
  if (!hasScope(caller, "admin")) notFound();
  return (
    <>
      <div className="border-b border-line">
        <div className="mx-auto flex max-w-6xl flex-wrap items-center justify-between gap-x-4 px-4 sm:flex-nowrap sm:px-6">
          <OperatorNav />
          <SignOut />
        </div>
      </div>
      <div className="mx-auto max-w-6xl px-4 pt-8 sm:px-6">{children}</div>
    </>
  );
}
