import { expect, test } from "vitest";
import { type Press, problemWith, type Sight, STILL_MS, VISIBLE_MS } from "#worker/embed/consent.ts";

const NOW = 10_000;
const click: Press = { trusted: true, at: { x: 50, y: 20 }, pointer: "mouse" };
const seen: Sight = {
  tellsCover: true,
  visibleSinceMs: NOW - VISIBLE_MS,
  stillSinceMs: NOW - STILL_MS,
  button: { left: 0, top: 0, right: 120, bottom: 40 },
};

const cases: { name: string; press?: Partial<Press>; sight?: Partial<Sight>; problem: string | null }[] = [
  { name: "a person's click on a button in plain view is consent", problem: null },
  { name: "so is a key", press: { at: null, pointer: "keyboard" }, sight: { stillSinceMs: null }, problem: null },
  { name: "so is a touch", press: { pointer: "touch" }, sight: { stillSinceMs: NOW }, problem: null },
  { name: "a scripted event is not", press: { trusted: false }, problem: "untrusted" },
  { name: "nor under anything", sight: { visibleSinceMs: null }, problem: "covered" },
  {
    name: "nor a key under anything",
    press: { at: null, pointer: "keyboard" },
    sight: { visibleSinceMs: null },
    problem: "covered",
  },
  { name: "nor before it could be seen", sight: { visibleSinceMs: NOW - VISIBLE_MS + 1 }, problem: "too-soon" },
  { name: "nor where it has just come to the pointer", sight: { stillSinceMs: NOW - STILL_MS + 1 }, problem: "moved" },
  { name: "nor where no pointer came", sight: { stillSinceMs: null }, problem: "moved" },
  { name: "nor beside the button", press: { at: { x: 121, y: 20 } }, problem: "moved" },
  {
    name: "nor on a button too small to read",
    sight: { button: { left: 0, top: 0, right: 60, bottom: 40 } },
    problem: "too-small",
  },
  {
    name: "where nobody can tell, it is asked elsewhere",
    sight: { tellsCover: false, visibleSinceMs: null },
    problem: "elsewhere",
  },
  {
    name: "a scripted event is not asked about",
    press: { trusted: false },
    sight: { tellsCover: false },
    problem: "untrusted",
  },
];

test.each(cases)("$name", ({ press, sight, problem }) => {
  expect(problemWith({ ...click, ...press }, { ...seen, ...sight }, NOW)).toBe(problem);
});
