import type { ReactNode } from "react";
import { SignIn } from "../components/sign-in.tsx";
import { SignOut } from "../components/sign-out.tsx";
import { signedIn } from "../session.ts";

export const metadata = { title: "Dashboard" };

export default async function DashboardLayout({ children }: { children: ReactNode }) {
  if (!(await signedIn())) return <SignIn />;
  return (
    <div className="mx-auto max-w-6xl px-4 pt-6 sm:px-6">
      <nav aria-label="Dashboard" className="mb-8 flex flex-wrap items-center justify-between gap-3 text-[0.95rem]">
        <div className="flex gap-5">
          <a href="/dashboard" className="py-2 text-ink-2 hover:text-ink hover:underline">
            Jobs
          </a>
          <a href="/dashboard/new" className="py-2 text-ink-2 hover:text-ink hover:underline">
            New job
          </a>
        </div>
        <SignOut />
      </nav>
      {children}
    </div>
  );
}
