import type { ReactNode } from "react";
import { hasScope } from "#lib/coordinator/identity.ts";
import { AccountNav } from "../../components/account/account-nav.tsx";
import { Notice } from "../../components/ui/notice.tsx";
import { signedIn } from "../../session.ts";

export default async function AccountLayout({ children }: { children: ReactNode }) {
  const caller = await signedIn();
  if (!caller) return null;
  if (!hasScope(caller, "account")) {
    return (
      <Notice tone="info" title="You are signed in with an API key that may not see the account.">
        Sign in with an account, or with a key that has the scope “account”.
      </Notice>
    );
  }
  return (
    <>
      <AccountNav />
      {children}
    </>
  );
}
