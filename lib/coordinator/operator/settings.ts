/** What this server is set to, as its operator may see it: never a secret, only whether there is one. */
import type { ServerSetting } from "#lib/protocol/api/operator.ts";
import type { Config } from "../config.ts";

const yesNo = (on: boolean) => (on ? "yes" : "no");
const set = (value: unknown) => (value === null ? "not set" : "set");

export function settingsOf(config: Config): ServerSetting[] {
  const { publicUrl, host, port, oauth, mailHook, webhooks } = config;
  return [
    { name: "FLUX_PUBLIC_URL", value: publicUrl ?? "not set", means: "The address that people and donors reach it by" },
    { name: "HOST, PORT", value: `${host}, ${port ?? "first free from 3000"}`, means: "Where it listens" },
    { name: "FLUX_DATA", value: config.dataFolder, means: "Where everything lies that must not be lost" },
    { name: "FLUX_LOG_LEVEL", value: config.logLevel, means: "What the log holds" },
    { name: "FLUX_TRUST_PROXY", value: yesNo(config.trustProxy), means: "X-Forwarded-For says who asks" },
    { name: "FLUX_SIGN_UP", value: config.signUp, means: "Whether strangers may make accounts" },
    {
      name: "FLUX_OAUTH_…",
      value: Object.keys(oauth).join(", ") || "none",
      means: "Providers that people may sign in with",
    },
    { name: "FLUX_MAIL_HOOK", value: set(mailHook), means: "Where mail is handed to; without it no mail is sent" },
    { name: "FLUX_RATE_SCALE", value: String(config.rateScale), means: "Multiplies every rate limit" },
    { name: "FLUX_WEBHOOK_HTTP", value: yesNo(webhooks.allowHttp), means: "Webhooks may go to http addresses" },
    { name: "FLUX_WEBHOOK_PRIVATE", value: yesNo(webhooks.allowPrivate), means: "Webhooks may go to private networks" },
    {
      name: "FLUX_DONOR_ORIGINS",
      value: config.donorOrigins.join(", ") || "none",
      means: "Other sites whose pages may open donor sockets",
    },
    {
      name: "FLUX_SOCKETS_PER_ADDRESS",
      value: String(config.socketsPerAddress),
      means: "Donor tabs behind one address",
    },
    { name: "FLUX_COUNTRY_FILE", value: config.countryFile ?? "the one that ships", means: "Countries of addresses" },
    { name: "FLUX_METRICS_TOKEN", value: set(config.metricsToken), means: "What /metrics asks for" },
  ];
}
