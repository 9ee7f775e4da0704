/** Pages of the store as the REST interface's lists. */
import type { Page } from "#lib/storage/store.ts";

export function listOf<Item extends { readonly id: string }>(page: Page<Item>) {
  return {
    object: "list" as const,
    data: [...page.items],
    has_more: page.hasMore,
    first_id: page.items[0]?.id ?? null,
    last_id: page.items.at(-1)?.id ?? null,
  };
}
