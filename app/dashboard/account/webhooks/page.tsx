import { hasScope } from "#lib/coordinator/identity.ts";
import { coordinator } from "#lib/coordinator/registry.ts";
import type { DeliveryResource, WebhookResource } from "#lib/protocol/api/webhooks.ts";
import { DeliveryId } from "#lib/protocol/ids.ts";
import { ActButton } from "../../../components/account/act-button.tsx";
import { NewWebhookForm, ShowSecret } from "../../../components/account/webhook-forms.tsx";
import { Badge } from "../../../components/ui/badge.tsx";
import { EmptyState } from "../../../components/ui/empty-state.tsx";
import { PageHeader } from "../../../components/ui/page-header.tsx";
import { Head, Table, Td, Th, Tr } from "../../../components/ui/table.tsx";
import { formatTime } from "../../../format.ts";
import { signedIn } from "../../../session.ts";

export const metadata = { title: "Webhooks" };

const SHOWN = 20;

export default async function Webhooks({ searchParams }: { searchParams: Promise<{ after?: string }> }) {
  const caller = await signedIn();
  if (!caller || !hasScope(caller, "account")) return null;
  const { webhooks } = coordinator();
  const { items } = await webhooks.list(caller, { limit: 100 });
  const after = DeliveryId.safeParse((await searchParams).after);
  const page = { limit: SHOWN, ...(after.success ? { after: after.data } : {}) };
  const deliveries = await webhooks.deliveries(caller, page, {});
  return (
    <>
      <PageHeader title="Webhooks" action={<NewWebhookForm />}>
        Flux tells your server when a job ends, signed as{" "}
        <a className="link" href="https://www.standardwebhooks.com">
          Standard Webhooks
        </a>
        . What does not get through is sent again, for three days.
      </PageHeader>
      {items.length === 0 ? (
        <EmptyState title="No webhooks yet">
          Or give a job an address of its own with <code className="number">webhook</code>: those are signed with{" "}
          <ShowSecret path="/api/v1/webhook-secret" name="the account’s secret" />.
        </EmptyState>
      ) : (
        <ul className="grid grid-cols-1 gap-4">
          {items.map((webhook) => (
            <Webhook key={webhook.id} webhook={webhook} />
          ))}
        </ul>
      )}
      <section aria-labelledby="deliveries" className="mt-9">
        <h2 id="deliveries" className="text-[1.25rem]">
          What was sent
        </h2>
        {deliveries.items.length === 0 ? (
          <p className="mt-2 text-ink-2">Nothing yet. Deliveries stand here for 30 days.</p>
        ) : (
          <Deliveries deliveries={deliveries.items} />
        )}
        {deliveries.hasMore ? (
          <p className="mt-5">
            <a className="link" href={`/dashboard/account/webhooks?after=${deliveries.items.at(-1)?.id}`}>
              Older deliveries
            </a>
          </p>
        ) : null}
      </section>
    </>
  );
}

function Webhook({ webhook }: { webhook: WebhookResource }) {
  return (
    <li className="grid gap-3 rounded-lg border border-line bg-raised p-4 sm:p-5">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="number text-[1rem] [overflow-wrap:anywhere]">{webhook.url}</h2>
          {webhook.description ? <p className="text-ink-2">{webhook.description}</p> : null}
        </div>
        <div className="flex flex-wrap gap-2">
          <ShowSecret path={`/api/v1/webhooks/${webhook.id}/secret`} name="Secret" />
          {webhook.disabled ? (
            <ActButton method="POST" path={`/api/v1/webhooks/${webhook.id}/enable`} done="Switched on">
              Switch on
            </ActButton>
          ) : null}
          <ActButton
            method="DELETE"
            path={`/api/v1/webhooks/${webhook.id}`}
            label={`Delete ${webhook.url}`}
            done="Deleted"
            danger
            question={{ title: "Delete this webhook?", description: "With the log of what was sent there." }}
          >
            Delete
          </ActButton>
        </div>
      </div>
      <p className="flex flex-wrap gap-1.5">
        {webhook.events.map((event) => (
          <Badge key={event}>{event}</Badge>
        ))}
        {webhook.disabled ? <Badge tone="bad">switched off: {webhook.disabled.why}</Badge> : null}
        {webhook.failing_since && !webhook.disabled ? (
          <Badge tone="wait">failing since {formatTime(webhook.failing_since)}</Badge>
        ) : null}
      </p>
    </li>
  );
}

const TONES = { delivered: "good", pending: "wait", failed: "bad" } as const;

function Deliveries({ deliveries }: { deliveries: readonly DeliveryResource[] }) {
  return (
    <Table label="Deliveries" className="mt-3">
      <Head>
        <Th>Event</Th>
        <Th>Job</Th>
        <Th>Address</Th>
        <Th>State</Th>
        <Th numeric>Attempts</Th>
        <Th>Last</Th>
        <Th>
          <span className="sr-only">Act</span>
        </Th>
      </Head>
      <tbody>
        {deliveries.map((delivery) => (
          <Tr key={delivery.id}>
            <Td className="number whitespace-nowrap">{delivery.event}</Td>
            <Td>
              <a className="link number" href={`/dashboard/jobs/${delivery.job}`}>
                …{delivery.job.slice(-6)}
              </a>
            </Td>
            <Td className="number max-w-60 [overflow-wrap:anywhere]">{delivery.url}</Td>
            <Td>
              <Badge tone={TONES[delivery.state]}>{delivery.state}</Badge>
              {delivery.last_error ? (
                <p className="mt-1 min-w-44 text-[0.88rem] text-ink-2">{delivery.last_error}</p>
              ) : null}
            </Td>
            <Td numeric>{delivery.attempts}</Td>
            <Td className="whitespace-nowrap">
              {delivery.last_attempt_at ? formatTime(delivery.last_attempt_at) : "not yet"}
            </Td>
            <Td className="text-right">
              {delivery.state === "pending" ? null : (
                <ActButton
                  method="POST"
                  path={`/api/v1/webhook-deliveries/${delivery.id}/redeliver`}
                  label={`Send ${delivery.event} of …${delivery.job.slice(-6)} again`}
                  done="It is sent once more"
                >
                  Send again
                </ActButton>
              )}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
