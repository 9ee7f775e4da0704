/** Every route of the REST interface, from the same table that serves it. */
import { z } from "zod";
import { isMedia, type Route } from "#lib/coordinator/rest/route.ts";
import { API_PREFIX } from "#lib/coordinator/rest/router.ts";

const METHOD_TONES: Record<Route["method"], string> = {
  GET: "text-good",
  POST: "text-accent",
  PUT: "text-accent",
  PATCH: "text-accent",
  DELETE: "text-bad",
};

interface Field {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
}

export function Operations({ routes }: { routes: readonly Route[] }) {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  return (
    <>
      {tags.map((tag) => (
        <section key={tag} aria-label={tag} className="mt-12">
          <h2 className="text-[1.5rem]">{tag}</h2>
          <ul className="mt-4 divide-y divide-line border-y border-line">
            {routes
              .filter((route) => route.tag === tag)
              .map((route) => (
                <Operation key={route.operation} route={route} />
              ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Operation({ route }: { route: Route }) {
  const fields = [...fieldsOf(route.query), ...(route.body ? fieldsOf(route.body) : []), ...fieldsOf(route.form)];
  return (
    <li id={route.operation} className="py-5">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <span className={`number text-[0.92rem] font-[500] ${METHOD_TONES[route.method]}`}>{route.method}</span>
        <code className="number text-[0.98rem] [overflow-wrap:anywhere]">
          {API_PREFIX}
          {route.path}
        </code>
        <span className="text-[0.88rem] text-ink-3">{route.scope === null ? "open" : `scope ${route.scope}`}</span>
      </div>
      <p className="mt-1.5 font-[560]">{route.summary}</p>
      {route.description ? <p className="mt-1 max-w-3xl text-ink-2">{route.description}</p> : null}
      {fields.length > 0 ? (
        <dl className="mt-3 grid max-w-3xl gap-x-6 gap-y-1 text-[0.92rem] sm:grid-cols-[12rem_1fr]">
          {fields.map(({ name, type, required }) => (
            <div key={name} className="contents">
              <dt className="number">
                {name}
                {required ? <span className="text-[0.82rem] text-ink-3"> required</span> : null}
              </dt>
              <dd className="mb-1 text-ink-2 sm:mb-0">{type}</dd>
            </div>
          ))}
        </dl>
      ) : null}
      {isMedia(route.answer) ? (
        <p className="mt-2 text-[0.92rem] text-ink-3">Answers {route.answer.media.join(", ")}</p>
      ) : null}
    </li>
  );
}

const ObjectSchema = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  required: z.array(z.string()).optional(),
});

function fieldsOf(schema: z.ZodType | undefined): Field[] {
  if (!schema) return [];
  const parsed = ObjectSchema.safeParse(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  if (!parsed.success) return [];
  const required = new Set(parsed.data.required);
  return Object.entries(parsed.data.properties ?? {}).map(([name, property]) => ({
    name,
    type: typeText(property),
    required: required.has(name),
  }));
}

function typeText(property: Record<string, unknown>): string {
  const { type, enum: choices, format, maximum, minimum, maxLength, pattern } = property;
  const parts: string[] = [];
  if (Array.isArray(choices)) parts.push(choices.join(" | "));
  else if (property.format === "binary") parts.push("a file");
  else if (typeof pattern === "string" && /^\^[a-z]+_/.test(pattern)) parts.push(`${pattern.slice(1).split("_")[0]}_…`);
  else if (typeof type === "string") parts.push(format === "date-time" ? "time (ISO 8601)" : type);
  else parts.push("see openapi.json");
  if (typeof minimum === "number" && typeof maximum === "number" && maximum < 1e9)
    parts.push(`${minimum} to ${maximum}`);
  if (typeof maxLength === "number") parts.push(`up to ${maxLength} characters`);
  if (property.default !== undefined && typeof property.default !== "object")
    parts.push(`default ${String(property.default)}`);
  return parts.join(", ");
}
