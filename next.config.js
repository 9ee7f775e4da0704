/** @type {import("next").NextConfig} */
const config = {
  // Security headers are set by the custom server for every path: lib/coordinator/http/security-headers.ts.
  poweredByHeader: false,
  reactStrictMode: true,
  // `npm run check` does these for the whole tree; twice would only make the build slow.
  typescript: { ignoreBuildErrors: true },
  // No request may make the server fetch or resize pictures for strangers.
  images: { unoptimized: true },
  // The views reach the server's code through the registry on globalThis; what is still imported stays Node's.
  serverExternalPackages: ["better-sqlite3", "node-seal", "onnxruntime-web", "pino", "prom-client", "sharp"],
  turbopack: {
    root: import.meta.dirname,
    // node-seal asks for Node's `module` even in a browser bundle.
    resolveAlias: { module: { browser: "./app/empty.ts" } },
  },
};

export default config;
