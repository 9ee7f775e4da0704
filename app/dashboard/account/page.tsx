import { coordinator } from "#lib/coordinator/registry.ts";
import type { AccountResource, SessionResource } from "#lib/protocol/api/access.ts";
import { ActButton } from "../../components/account/act-button.tsx";
import { DeleteAccount, NameForm, PasswordForm } from "../../components/account/profile-forms.tsx";
import { Badge } from "../../components/ui/badge.tsx";
import { Card } from "../../components/ui/card.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { Progress } from "../../components/ui/progress.tsx";
import { Head, Table, Td, Th, Tr } from "../../components/ui/table.tsx";
import { formatBytes, formatCount, formatTime } from "../../format.ts";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Account" };

export default async function Account() {
  const caller = await signedIn();
  if (!caller) return null;
  const service = coordinator().account;
  const account = await service.get(caller);
  const { person } = account;
  return (
    <>
      <PageHeader title={person ? person.name : account.name}>
        {person ? (
          <>
            {person.email} <Badge>{person.role}</Badge>
          </>
        ) : (
          "Signed in with an API key."
        )}
      </PageHeader>
      <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
        <UsageCard usage={account.usage} />
        <div className="grid grid-cols-1 gap-6">
          {person ? <NameForm name={person.name} /> : null}
          {person?.has_password ? <PasswordForm /> : null}
        </div>
      </div>
      {person ? <Sessions sessions={await service.sessions(caller)} /> : null}
      {person ? <DeleteAccount hasPassword={person.has_password} /> : null}
    </>
  );
}

function UsageCard({ usage }: { usage: AccountResource["usage"] }) {
  const rows = [
    { label: "Jobs", ...usage.jobs, format: formatCount },
    { label: "Jobs that have not ended", ...usage.concurrent_jobs, format: formatCount },
    { label: "Files", ...usage.files, format: formatCount },
    { label: "Space for files", ...usage.bytes, format: formatBytes },
  ];
  return (
    <Card className="p-5 sm:p-6">
      <h2 className="text-[1.25rem]">What you use</h2>
      <div className="mt-4 grid gap-4">
        {rows.map(({ label, used, limit, format }) => (
          <Progress
            key={label}
            label={label}
            value={limit === 0 ? 1 : Math.min(1, used / limit)}
            detail={`${format(used)} of ${format(limit)}`}
          />
        ))}
      </div>
    </Card>
  );
}

function Sessions({ sessions }: { sessions: readonly SessionResource[] }) {
  return (
    <section aria-labelledby="sessions" className="mt-9">
      <h2 id="sessions" className="text-[1.25rem]">
        Where you are signed in
      </h2>
      <Table label="Sessions" className="mt-3">
        <Head>
          <Th>Browser</Th>
          <Th>Address</Th>
          <Th>Since</Th>
          <Th>
            <span className="sr-only">Act</span>
          </Th>
        </Head>
        <tbody>
          {sessions.map((session) => (
            <Tr key={session.id}>
              <Td>
                {browserOf(session.user_agent)} {session.current ? <Badge tone="good">this one</Badge> : null}
              </Td>
              <Td className="number">{session.address ?? "unknown"}</Td>
              <Td className="whitespace-nowrap">{formatTime(session.created_at)}</Td>
              <Td className="text-right">
                {session.current ? null : (
                  <ActButton
                    method="DELETE"
                    path={`/api/v1/account/sessions/${session.id}`}
                    label={`Sign out ${browserOf(session.user_agent)}`}
                    done="Signed out there"
                  >
                    Sign out
                  </ActButton>
                )}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </section>
  );
}

const BROWSERS = ["Firefox", "Edg", "OPR", "Chrome", "Safari", "curl"];
const SYSTEMS = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"];

/** A guess for people to recognise a device by; nothing depends on it. */
function browserOf(agent: string | null): string {
  if (!agent) return "Unknown";
  const browser = BROWSERS.find((name) => agent.includes(name));
  const system = SYSTEMS.find((name) => agent.includes(name));
  return [browser ?? "A program", system].filter(Boolean).join(" on ");
}
