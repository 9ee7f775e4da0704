/** Signing in, as this server offers it: password, providers, or an API key. */
import { coordinator } from "#lib/coordinator/registry.ts";
import { SignInForm } from "./sign-in-form.tsx";

const PROVIDERS: Readonly<Record<string, string>> = {
  github: "GitHub",
  google: "Google",
  gitlab: "GitLab",
  huggingface: "Hugging Face",
};

export function SignIn({ next }: { next: string }) {
  const { config } = coordinator();
  const providers = Object.keys(config.oauth).map((id) => ({ id, name: PROVIDERS[id] ?? id }));
  return <SignInForm next={next} providers={providers} signUp={config.signUp === "open"} />;
}
