/** Somebody in a browser: signs up and in over /api/auth, keeps cookies, and says where requests come from, as browsers do. */
export interface PersonAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export class Person {
  readonly #url: string;
  readonly #cookies = new Map<string, string>();

  constructor(url: string) {
    this.#url = url;
  }

  get cookies(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  /** A fetch with this person's cookies, from a page of this server. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("origin")) headers.set("origin", this.#url);
    if (this.#cookies.size > 0) headers.set("cookie", this.cookies);
    const response = await fetch(`${this.#url}${path}`, { ...init, headers, redirect: "manual" });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = cookie.split(";");
      const [name = "", value = ""] = pair.split("=", 2);
      if (attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute))) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }

  async ask(method: string, path: string, json?: unknown, headers: Record<string, string> = {}): Promise<PersonAnswer> {
    const response = await this.fetch(path, {
      method,
      headers: { ...(json === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    const body: Record<string, unknown> = text === "" ? {} : JSON.parse(text);
    return { status: response.status, body, headers: response.headers };
  }

  signUp(email: string, password = PASSWORD, headers: Record<string, string> = {}): Promise<PersonAnswer> {
    return this.ask("POST", "/api/auth/sign-up/email", { name: "Ada Example", email, password }, headers);
  }

  signIn(email: string, password = PASSWORD): Promise<PersonAnswer> {
    return this.ask("POST", "/api/auth/sign-in/email", { email, password });
  }
}

export const PASSWORD = "nine purple otters";
