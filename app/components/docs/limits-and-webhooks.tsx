/** What every program that calls the API should know: how often it may, and how it is told what happened. */
import { ACCOUNT_LIMITS, RATE_LIMITS, UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import { formatBytes, formatCount } from "../../format.ts";
import { CodeBlock } from "../ui/code.tsx";
import { Head, Table, Td, Th, Tr } from "../ui/table.tsx";

const RATES = [
  { limit: RATE_LIMITS.read, of: "Reading, for each key or session" },
  { limit: RATE_LIMITS.write, of: "Writing, for each key or session" },
  { limit: RATE_LIMITS.heavy, of: "Making models, datasets and jobs" },
  { limit: RATE_LIMITS.open, of: "Without a key, for each address" },
  { limit: RATE_LIMITS.signIn, of: "Signing in, for each address" },
];

export function Limits() {
  return (
    <section aria-labelledby="limits" className="mt-12">
      <h2 id="limits" className="text-[1.5rem]">
        How much, how often
      </h2>
      <p className="mt-2 max-w-3xl text-ink-2">
        Every answer says where you stand in <code className="number text-[0.95rem]">RateLimit</code>. Over it you get
        429 with <code className="number text-[0.95rem]">Retry-After</code>. An account may hold{" "}
        {formatCount(UPLOAD_LIMITS.jobsPerTenant)} jobs, {formatCount(ACCOUNT_LIMITS.concurrentJobsPerTenant)} of them
        not ended, and {formatBytes(UPLOAD_LIMITS.bytesPerTenant)} of files, unless its operator says otherwise.
      </p>
      <Table label="Rate limits" className="mt-4 max-w-3xl">
        <Head>
          <Th>What</Th>
          <Th numeric>Requests</Th>
          <Th numeric>In</Th>
        </Head>
        <tbody>
          {RATES.map(({ limit, of }) => (
            <Tr key={of}>
              <Td>{of}</Td>
              <Td numeric>{formatCount(limit.requests)}</Td>
              <Td numeric>{limit.perSeconds} s</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </section>
  );
}

const RECEIVER = `import { createServer } from "node:http";
import { verifyWebhook } from "flux/webhooks";

createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  try {
    const { type, data, deliveryId } = verifyWebhook(process.env.FLUX_WEBHOOK_SECRET, request.headers, body);
    console.log(deliveryId, type, data.id);
    response.writeHead(204).end();
  } catch {
    response.writeHead(401).end();
  }
}).listen(8080);
`;

export function Webhooks() {
  return (
    <section aria-labelledby="webhooks" className="mt-12">
      <h2 id="webhooks" className="text-[1.5rem]">
        Receiving webhooks
      </h2>
      <p className="mt-2 max-w-3xl text-ink-2">
        Instead of asking: give a job a <code className="number text-[0.95rem]">webhook</code>, or set one up for all of
        them under Account. Deliveries are signed as{" "}
        <a className="link" href="https://www.standardwebhooks.com">
          Standard Webhooks
        </a>
        , repeated for three days until you answer 2xx, and never follow redirects. Take each{" "}
        <code className="number text-[0.95rem]">webhook-id</code> once.
      </p>
      <div className="mt-4 max-w-3xl">
        <CodeBlock text={RECEIVER} label="Copy the receiver" />
      </div>
    </section>
  );
}
