/** Stands in for Node's `module` in browser bundles (next.config.js): node-seal imports it and never uses it there. */
export function createRequire(): never {
  throw new Error("There is no Node `require` in a browser");
}
