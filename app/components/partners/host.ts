/** By which address people reach this server, for links and tags that are copied elsewhere. */
import { headers } from "next/headers";
import { coordinator } from "#lib/coordinator/registry.ts";

export async function hostAddress(): Promise<string> {
  const { publicUrl } = coordinator().config;
  return publicUrl ?? `http://${(await headers()).get("host") ?? "localhost"}`;
}
