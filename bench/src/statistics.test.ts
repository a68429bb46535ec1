import { expect, test } from "vitest";
import { figureOf, median } from "./statistics.ts";

test("median(), is the middle value, whatever the order", () => {
  expect(median([3, 100, 1])).toBe(3);
});

test("median(), lies between the two middle values, of an even number", () => {
  expect(median([4, 1, 100, 2])).toBe(3);
});

test("median(), refuses, when there are no values", () => {
  expect(() => median([])).toThrow("at least one sample");
});

test("figureOf(), counts each process once, however many samples it has", () => {
  const figure = figureOf([[1, 1, 1, 1, 1], [5], [7, 9]]);

  expect(figure).toMatchObject({ median: 5, least: 1 });
});
