import { expect, test } from "vitest";
import { parseCompareOptions, parseOptions, UsageError } from "./options.ts";
import { PEERS } from "./workload.ts";

const KNOWN = ["lock", "queue", "switch"];

test("parseOptions(), measures everything on this Node, without arguments", () => {
  const options = parseOptions([], KNOWN);

  expect(options).toMatchObject({ only: KNOWN, peers: PEERS, nodes: ["this"], rounds: 3, python: "python3", list: false });
});

test("parseOptions(), keeps the order of --only and each name once, and tsyncio in front of the peers", () => {
  const options = parseOptions(["--only", "switch, lock,switch", "--peers", "go,native", "--node", "this,newest"], KNOWN);

  expect(options).toMatchObject({ only: ["switch", "lock"], peers: ["tsyncio", "native", "go"], nodes: ["this", "newest"] });
});

test.each([
  [["--only", "swich"], '--only knows no "swich"; there are lock, queue, switch'],
  [["--peers", "tokio"], '--peers knows no "tokio"; there are tsyncio, native, '],
  [["--rounds", "0"], "--rounds expects a whole number of 1 or more, got 0"],
  [["--batch", "fast"], "--batch expects a whole number of 1 or more, got fast"],
  [["--frob"], "--frob"],
  [["lock"], "lock"],
])("parseOptions(), refuses and tells what there is, when given %j", (args, message) => {
  const parse = () => parseOptions(args, KNOWN);

  expect(parse).toThrow(UsageError);
  expect(parse).toThrow(message);
});

test("parseCompareOptions(), takes a ref and fewer rounds, when instructions are counted", () => {
  expect(parseCompareOptions(["main"], KNOWN)).toMatchObject({ ref: "main", only: KNOWN, rounds: 5, instructions: false });
  expect(parseCompareOptions(["main", "--instructions"], KNOWN)).toMatchObject({ rounds: 1, instructions: true });
});

test.each([[[]], [["main", "head"]]])("parseCompareOptions(), refuses, when given the refs %j", (args) => {
  expect(() => parseCompareOptions(args, KNOWN)).toThrow("Expected one git ref");
});
