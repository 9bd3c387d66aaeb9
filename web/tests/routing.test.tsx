import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { draftOf, isWhole, namesOf, ruleOf } from "../source/routing/draft";
import { Explained } from "../source/routing/explanation";
import { fallbacks, type Profile } from "../source/routing/profiles";
import { Replayed } from "../source/routing/replayed";
import { RuleList } from "../source/routing/rule-list";
import { moved, type Rule } from "../source/routing/rules";

const rule = (name: string, priority: number): Rule => ({
  name,
  priority,
  match: "exact",
  pattern: name,
  targets: [{ model: "pony" }],
  enabled: true,
});

function shown(content: React.ReactNode) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <MantineProvider>
      <QueryClientProvider client={queries}>{content}</QueryClientProvider>
    </MantineProvider>,
  );
}

test("a rule is put between two others by its own priority alone", () => {
  const { changed, shown: after } = moved([rule("a", 30), rule("b", 20), rule("c", 10)], 2, 1);
  expect(after.map((each) => each.name)).toEqual(["a", "c", "b"]);
  expect(changed.map(({ name, priority }) => [name, priority])).toEqual([["c", 25]]);
  expect(moved([rule("a", 0), rule("b", 0)], 1, 0).changed).toMatchObject([{ name: "b", priority: 10 }]);
  expect(moved([rule("a", 0), rule("b", 0)], 0, 1).changed).toMatchObject([{ name: "a", priority: -10 }]);
});

test("without room between two neighbours all are numbered anew", () => {
  const { shown: after } = moved([rule("a", 1), rule("b", 0), rule("c", 0)], 2, 1);
  expect(after.map(({ name, priority }) => [name, priority])).toEqual([["a", 30], ["c", 20], ["b", 10]]);
  const top = moved([rule("a", 1_000_000), rule("b", 0)], 1, 0);
  expect(top.shown.map((each) => each.priority)).toEqual([20, 10]); // beyond the highest there is none
});

test("whatever is moved where, the order that is shown is the order of the priorities", () => {
  const rules = [7, 7, 5, 4, 4, 3, -2].map((priority, index) => rule(String(index), priority));
  for (let from = 0; from < rules.length; from += 1) {
    for (let to = 0; to < rules.length; to += 1) {
      const { shown: after, changed } = moved(rules, from, to);
      const expected = rules.map((each) => each.name);
      expected.splice(to, 0, ...expected.splice(from, 1));
      expect(after.map((each) => each.name)).toEqual(expected);
      const at = after.findIndex((each) => each.name === String(from));
      if (changed.length === 1) {
        expect(after[at - 1]?.priority ?? Infinity).toBeGreaterThan(after[at]?.priority ?? 0);
        expect(after[at + 1]?.priority ?? -Infinity).toBeLessThan(after[at]?.priority ?? 0);
      }
    }
  }
});

test("a form holds a rule as it is, options of any kind included", () => {
  const targets = [{ provider: "far", model: "{1}", options: { seed: 7, stop: ["a"], text: "7", word: "b" } }];
  const draft = draftOf({ ...rule("a", 3), match: "regex", targets });
  expect(ruleOf(draft).targets).toEqual(targets);
  expect(draft.targets[0]?.options).toEqual([["seed", "7"], ["stop", '["a"]'], ["text", '"7"'], ["word", "b"]]);
  expect(isWhole(draft)).toBe(true);
  expect(isWhole(draftOf(null))).toBe(false);
  expect(namesOf({ ...draft, match: "prefix", pattern: "gpt-" })).toEqual(["gpt-name"]);
  expect(namesOf({ ...draft, names: " x \n\ny" })).toEqual(["x", "y"]);
});

test("fallbacks are told once each, even where they go in circles", () => {
  const profile = (name: string, fallback: string | null): Profile => ({ name, fallback_profile: fallback });
  const all = [profile("a", "b"), profile("b", "c"), profile("c", "b")];
  expect(all.map((each) => fallbacks(each, all))).toEqual([["b", "c"], ["c"], ["b"]]);
});

test("a decision is told in steps, and names in it stay text", () => {
  shown(
    <Explained
      found={{
        asked: "x",
        needs: [],
        rule: null,
        targets: [],
        steps: ["No rule fits `<img src=x>`."],
        considered: [{ provider: "local", model: "pony", fits: false, reason: "`code`: its context is small" }],
        warnings: [],
        error: "There is no model `x`.",
        hint: "`paddock list` shows what is here.",
      }}
    />,
  );
  expect(screen.getByText("<img src=x>").tagName).toBe("CODE");
  expect(document.querySelectorAll("img")).toHaveLength(0);
  expect(screen.getByText("There is no model `x`.")).toBeTruthy();
  expect(screen.getByText(/1 models were looked at, 0 fit/)).toBeTruthy();
});

test("a replay says what moved, from whom to whom, and what nobody can tell", () => {
  const outcome = (fate: "moved" | "undecided", more: object) => ({ fate, route: "", reason: "", ...more });
  shown(
    <Replayed
      found={{
        since: "2026-01-01T00:00:00Z",
        until: "2026-01-02T00:00:00Z",
        requests: 1203,
        same: 1200,
        moved: 2,
        nobody: 0,
        undecided: 1,
        skipped: 0,
        is_whole: true,
        cost: { requests: 2, unknown: 0, before_nanos: 2e9, after_nanos: 0 },
        groups: [
          {
            asked_model: "gpt",
            before: { provider: "far", model: "big" },
            outcome: outcome("moved", { after: { provider: "local", model: "pony" } }),
            count: 2,
            also_now: false,
          },
          { asked_model: "auto", before: null, outcome: outcome("undecided", { reason: "no `text`" }), count: 1, also_now: true },
        ],
        listed: [],
      }}
    />,
  );
  expect(screen.getByText("1,203 requests: 1,200 as before · 2 elsewhere · 0 nowhere · 1 cannot be told")).toBeTruthy();
  expect(screen.getByText(/2 requests with known prices cost 2, and would cost 0/)).toBeTruthy();
  expect(screen.getByText("big at far")).toBeTruthy();
  expect(screen.getByText("by the rules that hold now, too")).toBeTruthy();
});

beforeEach(() => {
  vi.unstubAllGlobals();
});

/** The API as a server on this page's origin would answer it. */
function served(answers: (request: Request) => unknown) {
  const asked: { method: string; path: string; body: unknown }[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const text = await request.clone().text();
    asked.push({ method: request.method, path: new URL(request.url).pathname, body: text === "" ? null : JSON.parse(text) });
    return Response.json(answers(request));
  });
  return asked;
}

test("an arrow key on a rule's handle writes its new place, and tells it", async () => {
  const rules = [rule("a", 0), rule("b", 0)];
  const asked = served((request) => (request.method === "GET" ? { rules } : { added: [], changed: ["b"], removed: [] }));
  shown(<RuleList />);
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Move b:/ }), { key: "ArrowUp" });
  await screen.findByText("b is now 1 of 2.");
  await waitFor(() => expect(asked.some(({ method }) => method === "POST")).toBe(true));
  expect(asked.find(({ method }) => method === "POST")).toMatchObject({
    path: "/admin/routes/import",
    body: { replace_all: false, dry_run: false, rules: [{ name: "b", priority: 10 }] },
  });
});
