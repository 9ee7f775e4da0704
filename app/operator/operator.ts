/** The operator's service, for pages: only for callers who may. A layout alone does not keep a page's data in. */
import { notFound } from "next/navigation";
import { hasScope, type Identity } from "#lib/coordinator/identity.ts";
import type { OperatorService } from "#lib/coordinator/operator/operator-service.ts";
import { coordinator } from "#lib/coordinator/registry.ts";
import { signedIn } from "../session.ts";

export async function operator(): Promise<{ readonly caller: Identity; readonly service: OperatorService }> {
  const caller = await signedIn();
  if (!caller || !hasScope(caller, "admin")) notFound();
  return { caller, service: coordinator().operator };
}
