import { defineConfig } from "drizzle-kit";

/** `npm run migrations` writes what the schema needs to drizzle/migrations; the coordinator applies them when it starts. */
export default defineConfig({
  dialect: "sqlite",
  schema: "./drizzle/schema.ts",
  out: "./drizzle/migrations",
});
