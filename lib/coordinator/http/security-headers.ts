/**
 * The security headers of every answer, as one pure table of paths.
 *
 * Pages get a Content-Security-Policy with a nonce a request (Next reads it from the request's own header and puts it
 * on its scripts). `/donate` is cross-origin isolated, which is what gives WASM its threads; `/embed` is isolated by
 * document policy, because a frame cannot ask its partner's page for COOP.
 */

export interface HeaderQuestion {
  readonly path: string;
  readonly nonce: string;
  readonly dev: boolean;
  /** Origins that may frame `/embed`, for the site key in question. */
  readonly frameAncestors: readonly string[];
  readonly https: boolean;
}

type Headers = Readonly<Record<string, string>>;

const EVERYWHERE: Headers = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "strict-origin-when-cross-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
};

/** Scripts of workers and their WASM: they may compute and fetch from here, and nothing else. */
const WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

export function securityHeaders(question: HeaderQuestion): Headers {
  const { path } = question;
  const transport: Headers = question.https ? { "Strict-Transport-Security": "max-age=31536000" } : {};
  return { ...EVERYWHERE, ...transport, ...forPath(question, path) };
}

function forPath(question: HeaderQuestion, path: string): Headers {
  if (isComputeAsset(path)) {
    return {
      "Content-Security-Policy": WORKER_POLICY,
      "Cross-Origin-Embedder-Policy": "require-corp",
      "Cross-Origin-Resource-Policy": "same-origin",
    };
  }
  if (path === "/embed/confirm") {
    // A window of our own, opened by the frame. No COOP: it answers the frame that opened it.
    return {
      "Content-Security-Policy": embedPolicy("'none'"),
      "X-Frame-Options": "DENY",
      "Cross-Origin-Resource-Policy": "same-origin",
    };
  }
  if (path.startsWith("/embed/")) {
    // The loader runs in the partner's page, which must be allowed to load it and, with `integrity`, to read it.
    return { "Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*" };
  }
  if (isUnder(path, "/api") || isUnder(path, "/artefacts") || isUnder(path, "/uploads")) {
    return {
      "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
      "Cross-Origin-Resource-Policy": "same-origin",
    };
  }
  if (path.startsWith("/_next/static/")) {
    // A worker's script is loaded from here, so these carry the embedder policy that an isolated page asks of its workers.
    return { "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin" };
  }
  if (path === "/embed") {
    return {
      "Content-Security-Policy": embedPolicy(frameSources(question.frameAncestors)),
      "Document-Isolation-Policy": "isolate-and-credentialless",
      "Cross-Origin-Embedder-Policy": "require-corp",
      "Cross-Origin-Resource-Policy": "cross-origin",
    };
  }
  const page: Headers = {
    "Content-Security-Policy": pagePolicy(question, "'none'"),
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
  };
  return path === "/donate" ? { ...page, "Cross-Origin-Embedder-Policy": "require-corp" } : page;
}

/** Built worker bundles and WASM files, copied to `public/` by `npm run assets`. */
export function isComputeAsset(path: string): boolean {
  return path.startsWith("/wasm/") || path.startsWith("/worker/");
}

function isUnder(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

function frameSources(origins: readonly string[]): string {
  return origins.length === 0 ? "'none'" : origins.join(" ");
}

/** The embed's documents load files of this origin and nothing else; what computes in its workers has the workers' policy. */
function embedPolicy(frameAncestors: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${frameAncestors}`,
  ].join("; ");
}

function pagePolicy({ nonce, dev }: HeaderQuestion, frameAncestors: string): string {
  // React's development build evaluates strings to rebuild server stacks; the production build does not.
  const evaluate = dev ? " 'unsafe-eval'" : "";
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'wasm-unsafe-eval'${evaluate}`,
    // Style attributes set by React and the plots; styles cannot run code.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${frameAncestors}`,
  ].join("; ");
}
