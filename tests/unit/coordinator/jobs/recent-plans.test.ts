import { expect, it } from "vitest";
import { RecentPlans } from "#lib/coordinator/jobs/recent-plans.ts";

function counting() {
  const plans = new RecentPlans<string>();
  const made: string[] = [];
  const get = (key: string) =>
    plans.get(key, async () => {
      made.push(key);
      if (key === "bad") throw new Error("impossible");
      return `plan of ${key}`;
    });
  return { get, made };
}

it("makes a plan once, also for two who ask at the same time", async () => {
  const { get, made } = counting();
  expect(await Promise.all([get("a"), get("a")])).toEqual(["plan of a", "plan of a"]);
  expect(await get("a")).toBe("plan of a");
  expect(made).toEqual(["a"]);
});

it("tries again after a failure", async () => {
  const { get, made } = counting();
  await expect(get("bad")).rejects.toThrow("impossible");
  await expect(get("bad")).rejects.toThrow("impossible");
  expect(made).toEqual(["bad", "bad"]);
});

it("forgets the plan that was not asked for longest", async () => {
  const { get, made } = counting();
  for (const key of "abcdefgh") await get(key);
  await get("a");
  await get("i");
  await get("a");
  await get("b");
  expect(made.join("")).toBe("abcdefghib");
});
