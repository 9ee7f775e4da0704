import type { ReactNode } from "react";
import { DashboardNav } from "../components/dashboard/nav.tsx";
import { SignIn } from "../components/sign-in.tsx";
import { SignOut } from "../components/sign-out.tsx";
import { ButtonLink } from "../components/ui/button.tsx";
import { signedIn } from "../session.ts";

export const metadata = { title: "Dashboard" };

export default async function DashboardLayout({ children }: { children: ReactNode }) {
  if (!(await signedIn())) return <SignIn />;
  return (
    <>
      <div className="border-b border-line">
        <div className="mx-auto flex max-w-6xl items-center justify-between gap-4 px-4 sm:px-6">
          <DashboardNav />
          <div className="flex shrink-0 items-center gap-3">
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
