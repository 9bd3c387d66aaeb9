import { expect, test } from "vitest";
import { failureOf, offline } from "../source/api/failure";

test("a refusal is told in the server's words, whichever dialect it came in", () => {
  const problem = failureOf({ detail: "No room.", hint: "Unload `a`.", code: "x" }, 503);
  expect([problem.message, problem.hint, problem.offline]).toEqual(["No room.", "Unload `a`.", false]);
  expect(failureOf({ error: { message: "Too long.", hint: "Shorten it." } }, 400).message).toBe("Too long.");
  expect(failureOf(null, 502).message).toBe("The server answered 502.");
  expect(offline().offline).toBe(true);
});
