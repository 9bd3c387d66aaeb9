/** Rules as the page reads, orders and writes them. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";

export type Rule = Schemas["Rule"];
export type Target = Schemas["RuleTarget"];
export const RULES = ["rules"];
const STEP = 10; // between neighbours, so that one fits between

/** All rules, in the order in which they are asked. */
export function useRules() {
  return useQuery({ queryKey: RULES, queryFn: async () => (await told(api.GET("/admin/routes"))).rules });
}

/** Write changed rules, all or none; `shown` is what the list looks like meanwhile. */
export function useRulesChange() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ changed }: { changed: Rule[]; shown: Rule[] }) =>
      told(
        api.POST("/admin/routes/import", {
          body: { paddock_rules: 1, rules: changed.map(bodyOf), replace_all: false, dry_run: false },
        }),
      ),
    onMutate: async ({ shown }) => {
      await queries.cancelQueries({ queryKey: RULES });
      queries.setQueryData(RULES, shown);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: RULES }),
  });
}

/** The rules with the one at `from` put to `to`, and those whose priority has to change for it. */
export function moved(rules: readonly Rule[], from: number, to: number): { changed: Rule[]; shown: Rule[] } {
  const shown = [...rules];
  const [taken] = shown.splice(from, 1);
  if (taken === undefined || from === to) return { changed: [], shown: [...rules] };
  shown.splice(to, 0, taken);
  const fitting = between(shown[to - 1]?.priority, shown[to + 1]?.priority);
  const ordered = shown.map((rule, index) => {
    if (fitting !== null) return index === to ? { ...rule, priority: fitting } : rule;
    return { ...rule, priority: (shown.length - index) * STEP }; // no room there: all are numbered anew
  });
  const before = new Map(rules.map((rule) => [rule.name, rule.priority]));
  return { changed: ordered.filter((rule) => before.get(rule.name) !== rule.priority), shown: ordered };
}

/** A priority below `above` and above `below`, or null when no whole number is. */
function between(above: number | undefined, below: number | undefined): number | null {
  if (above === undefined) return below === undefined ? 0 : within(below + STEP);
  if (below === undefined) return within(above - STEP);
  const middle = Math.floor((above + below) / 2);
  return middle < above && middle > below ? middle : null;
}

function within(priority: number): number | null {
  return Math.abs(priority) <= 1_000_000 ? priority : null;
}

/** A rule as the API takes it. */
export function bodyOf(rule: Rule) {
  const { name, match, pattern, priority = 0, enabled = true, description = "" } = rule;
  const targets = rule.targets.map(({ provider = "", model = "", options = {} }) => ({ provider, model, options }));
  return { name, match, pattern, targets, priority, enabled, description };
}

/** One target in words: `far-model of far`, `pony`, `as asked at far`. */
export function ledTo({ provider = "", model = "" }: { provider?: string; model?: string }): string {
  if (provider === "") return model;
  return `${model === "" ? "the name as asked" : model} at ${provider}`;
}

export const MATCHES = [
  { value: "exact", label: "is exactly" },
  { value: "prefix", label: "begins with" },
  { value: "regex", label: "fits the expression" },
] as const;

export function matchWords(match: Rule["match"]): string {
  return MATCHES.find(({ value }) => value === match)?.label ?? match;
}
