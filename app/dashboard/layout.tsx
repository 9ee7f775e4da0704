import type { ReactNode } from "react";
import { hasScope } from "#lib/coordinator/identity.ts";
import { SignIn } from "../components/account/sign-in.tsx";
import { DashboardNav } from "../components/dashboard/nav.tsx";
import { SignOut } from "../components/sign-out.tsx";
import { ButtonLink } from "../components/ui/button.tsx";
import { signedIn } from "../session.ts";

export const metadata = { title: "Dashboard" };

export default async function DashboardLayout({ children }: { children: ReactNode }) {
  const caller = await signedIn();
  if (!caller) {
    return (
      <div className="mx-auto max-w-lg px-4 pt-12 sm:px-6 sm:pt-16">
        <SignIn next="/dashboard" />
      </div>
    );
  }
  return (
    <>
      <div className="border-b border-line">
        <div className="mx-auto flex max-w-6xl flex-wrap items-center justify-between gap-x-4 px-4 sm:flex-nowrap sm:px-6">
          <DashboardNav />
          <div className="flex w-full shrink-0 items-center justify-end gap-3 pb-2 sm:w-auto sm:pb-0">
            {hasScope(caller, "admin") ? (
              <a href="/operator" className="py-2 text-ink-3 hover:text-ink hover:underline">
                Operator
              </a>
            ) : null}
            <SignOut />
            <ButtonLink href="/dashboard/new" size="small">
              New job
            </ButtonLink>
          </div>
        </div>
      </div>
      <div className="mx-auto max-w-6xl px-4 pt-8 sm:px-6">{children}</div>
    </>
  );
}
