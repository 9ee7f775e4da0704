import { coordinator } from "#lib/coordinator/registry.ts";
import { Health } from "../components/operator/health.tsx";
import { PageHeader } from "../components/ui/page-header.tsx";
import { operator } from "./operator.ts";

export const metadata = { title: "Health" };

export default async function OperatorHealth() {
  const { service } = await operator();
  return (
    <>
      <PageHeader title="Health">How this server is, every five seconds.</PageHeader>
      <Health initial={await service.health(coordinator().notReady())} />
    </>
  );
}
