import { coordinator } from "#lib/coordinator/registry.ts";
import { ownPath } from "../../components/account/own-path.ts";
import { SignUpForm } from "../../components/account/sign-up-form.tsx";

export const metadata = { title: "Sign up" };

export default async function SignUpPage({ searchParams }: { searchParams: Promise<{ next?: string }> }) {
  const { config } = coordinator();
  return <SignUpForm next={ownPath((await searchParams).next)} open={config.signUp === "open"} />;
}
