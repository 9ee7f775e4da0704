import { redirect } from "next/navigation";
import { ownPath } from "../../components/account/own-path.ts";
import { SignIn } from "../../components/account/sign-in.tsx";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Sign in" };

export default async function SignInPage({ searchParams }: { searchParams: Promise<{ next?: string }> }) {
  const next = ownPath((await searchParams).next);
  if (await signedIn()) redirect(next);
  return <SignIn next={next} />;
}
