import { headers } from "next/headers";
import { hasScope } from "#lib/coordinator/identity.ts";
import { coordinator } from "#lib/coordinator/registry.ts";
import { Limits, Webhooks } from "../components/docs/limits-and-webhooks.tsx";
import { Operations } from "../components/docs/operations.tsx";
import { Snippets } from "../components/docs/snippets.tsx";
import { signedIn } from "../session.ts";

export const metadata = { title: "API" };

export default async function Docs() {
  const { config, routes } = coordinator();
  const host = (await headers()).get("host") ?? "localhost:3000";
  const url = config.publicUrl ?? `http://${host}`;
  const caller = await signedIn();
  return (
    <>
      <h1 className="text-[2.2rem]">API</h1>
      <p className="mt-3 max-w-3xl text-[1.08rem] text-ink-2">
        Plain HTTP and JSON at <code className="number text-[0.95rem]">{url}/api/v1</code>. Send your key as a bearer
        token. Every error says what to do in its <code className="number text-[0.95rem]">detail</code>. Machines read{" "}
        <a className="link" href="/api/v1/openapi.json">
          openapi.json
        </a>
        .
      </p>
      <section aria-label="First job" className="mt-9">
        <h2 className="text-[1.5rem]">A first job</h2>
        <p className="mt-2 max-w-3xl text-ink-2">
          With <code className="number text-[0.95rem]">model.onnx</code> and{" "}
          <code className="number text-[0.95rem]">data.csv</code> in the current folder. On the command line the same is{" "}
          <code className="number text-[0.95rem]">npx flux submit model.onnx data.csv</code>.
        </p>
        <Snippets url={url} mayMakeKey={caller !== null && hasScope(caller, "account")} />
      </section>
      <Limits />
      <Webhooks />
      <Operations routes={routes} />
    </>
  );
}
