import { expect, test } from "vitest";
import { Failure, fieldOf, wrongAt } from "../source/api/failure";
import { fromPairs, textsFromPairs, toPairs } from "../source/parts/pairs";
import { priceOf, pricesIn } from "../source/providers/prices";
import { bodyOf, type Provider } from "../source/providers/providers";

test("the pattern that says most gives the price, and nothing in a name is an expression", () => {
  const line = (key: string, value: unknown) => ({ key, value, source: "file" });
  const prices = pricesIn([
    line("audit.prices.gpt-*.prompt", 1),
    line("audit.prices.gpt-*.completion", 2),
    line("audit.prices.gpt-4.1.prompt", 3),
    line("audit.prices.gpt-4.1.cached", null),
    line("audit.days", 90),
  ]);
  expect(priceOf("gpt-4.1", prices)).toBe("3 in, 0 out for a million tokens");
  expect(priceOf("gpt-4x1", prices)).toBe("1 in, 2 out for a million tokens");
  expect(priceOf("claude", prices)).toBe("");
});

test("what nobody set about a provider stays unset when it is written back", () => {
  const provider: Provider = {
    name: "far",
    kind: "openai",
    base_url: "https://api.openai.com/v1",
    options: {},
    headers: {},
    organization: "",
    timeout_s: 600,
    enabled: true,
    automatic: false,
    from_settings: false,
    usual: ["base_url", "timeout_s"],
    has_key: true,
  };
  expect(bodyOf(provider)).toMatchObject({ base_url: "", timeout_s: null });
  expect(bodyOf({ ...provider, usual: [] })).toMatchObject({ base_url: "https://api.openai.com/v1", timeout_s: 600 });
  expect(JSON.stringify(bodyOf(provider))).not.toContain("key");
});

test("pairs are read as JSON where they are JSON, and headers never are", () => {
  const values = { seed: 7, text: "7", word: "a b", list: [1], nothing: null };
  expect(fromPairs(toPairs(values))).toEqual(values);
  expect(textsFromPairs([[" x-team ", "7"], ["", "lost"]])).toEqual({ "x-team": "7" });
});

test("a refusal stands beside the field that it names, however the server spells it", () => {
  const refusal = new Failure("No.", "Try.", 400, "usage", "targets[0].model");
  expect(wrongAt(refusal, "targets.0.model")).toBe("No. Try.");
  expect(wrongAt(refusal, "targets.1.model")).toBeUndefined();
  expect(fieldOf(new Failure("No.", "", 400, "usage", "targets.0.model"))).toBe("targets.0.model");
  expect(fieldOf(new Error("x"))).toBe("");
});
