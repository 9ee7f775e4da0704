/**
 * The import directions of the project, as a table: a folder may import itself, what is listed for it, and packages.
 * `tests/unit/boundaries.test.ts` plants a violation for each rule and checks that it is reported.
 */
const mayImport = {
  "lib/protocol": [],
  "lib/model": ["lib/protocol"],
  "lib/dataset": ["lib/protocol"],
  "lib/lanes": ["lib/protocol", "lib/model"],
  "lib/keyholder": ["lib/protocol", "lib/model", "lib/lanes"],
  "lib/scheduling": ["lib/protocol"],
  "lib/integrity": ["lib/protocol", "lib/lanes"],
  "lib/aggregation": ["lib/protocol"],
  "lib/storage": ["lib/protocol", "drizzle"],
  "lib/client": ["lib/protocol", "lib/keyholder", "lib/lanes", "lib/model", "lib/dataset", "lib/aggregation", "worker"],
  "lib/coordinator": ["lib/(?!client)[^/]+", "drizzle", "worker/(kernels|runtimes)"],
  worker: ["lib/protocol", "lib/lanes", "lib/model"],
  app: ["lib/protocol", "lib/client", "lib/coordinator", "worker/host"],
  drizzle: [],
};

const folderRules = Object.entries(mayImport).map(([folder, allowed]) => ({
  name: `${folder.replace("/", "-")}-imports`,
  comment: `${folder} may import only: itself${allowed.length ? `, ${allowed.join(", ")}` : ""} and packages`,
  severity: "error",
  from: { path: `^${folder}/` },
  to: {
    path: "^(lib|worker|app|drizzle|tests)/",
    pathNot: [folder, ...allowed].map((target) => `^${target}/`),
  },
}));

module.exports = {
  forbidden: [
    ...folderRules,
    {
      name: "no-cycles",
      comment: "A cycle means that two stories are tangled: move what both need below them",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "nothing-imports-tests",
      severity: "error",
      from: { pathNot: "^tests/" },
      to: { path: "^tests/" },
    },
    {
      name: "keys-stay-with-the-key-holder",
      comment: "node-seal is wrapped in lib/keyholder (benchmarks measure it directly); donors never get it",
      severity: "error",
      from: { pathNot: "^(lib/keyholder|tests)/" },
      to: { path: "node_modules/node-seal" },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(generated|\\.next)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".json"],
    },
  },
};
