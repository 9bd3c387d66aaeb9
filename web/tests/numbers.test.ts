import { expect, test } from "vitest";
import { bytes, many, seconds } from "../source/parts/numbers";
import { client, largest } from "../source/start/words";

test("numbers are told as people read them", () => {
  expect([0, 999, 1000, 11_946_492, 364_000_000].map(bytes)).toEqual(["0 B", "999 B", "1.0 kB", "11.9 MB", "364 MB"]);
  expect([null, 512, 5_903_616].map(many)).toEqual(["–", "512", "5.9M"]);
  expect([0.52, 42, 180, 9000].map(seconds)).toEqual(["0.5 s", "42 s", "3 min", "2.5 h"]);
});

test("what fits is told in parameters", () => {
  expect(largest(16e9, 4)).toBe("25");
  expect(largest(4e9, 16)).toBe("1.6");
  expect(client("http://here:1")).toContain("OPENAI_BASE_URL=http://here:1/v1\n");
});
