/**
 * How mail leaves: as JSON to the operator's own hook (`FLUX_MAIL_HOOK`), which hands it to whatever sends mail there. Without a
 * hook no mail is sent: addresses are not verified, and a forgotten password is reset by a link that the operator makes.
 */
import type { Log } from "../log.ts";

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Never rejects: what could not be sent is logged, and the page says to look for the mail either way. */
export type SendMail = (mail: Mail) => Promise<void>;

const TIMEOUT_MS = 10_000;

export function mailHook(url: string, token: string | null, log: Log): SendMail {
  return async (mail) => {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
        body: JSON.stringify(mail),
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await response.body?.cancel();
      if (!response.ok) log.error({ status: response.status }, "the mail hook refused a mail");
    } catch (error) {
      log.error({ err: error }, "the mail hook could not be reached");
    }
  };
}
