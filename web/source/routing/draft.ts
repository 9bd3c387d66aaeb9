/** A rule while it is written: what the fields of the form hold. */
import { fromPairs, toPairs, type Pair } from "../parts/pairs";
import type { Rule } from "./rules";

export interface DraftTarget {
  id: number; // of its row in the form
  provider: string;
  model: string;
  options: Pair[];
}

export interface Draft {
  name: string;
  match: Rule["match"];
  pattern: string;
  priority: number;
  enabled: boolean;
  description: string;
  targets: DraftTarget[];
  names: string; // to hold it against, one a line
}

let ids = 0;

export function emptyTarget(): DraftTarget {
  return { id: ++ids, provider: "", model: "", options: [] };
}

/** The form of `rule`, or of one that is to be. */
export function draftOf(rule: Rule | null): Draft {
  return {
    name: rule?.name ?? "",
    match: rule?.match ?? "exact",
    pattern: rule?.pattern ?? "",
    priority: rule?.priority ?? 0,
    enabled: rule?.enabled ?? true,
    description: rule?.description ?? "",
    targets: rule?.targets.map(({ provider = "", model = "", options = {} }) => ({
      ...emptyTarget(),
      provider,
      model,
      options: toPairs(options),
    })) ?? [emptyTarget()],
    names: "",
  };
}

/** The rule that a form describes. */
export function ruleOf(draft: Draft) {
  const { names: _, targets, ...rest } = draft;
  return {
    ...rest,
    name: draft.name.trim(),
    targets: targets.map(({ provider, model, options }) => ({
      provider: provider.trim(),
      model: model.trim(),
      options: fromPairs(options),
    })),
  };
}

/** Enough is written for the server to judge it. */
export function isWhole(draft: Draft): boolean {
  return draft.name.trim() !== "" && draft.pattern !== "" && draft.targets.every(({ provider, model }) => provider || model);
}

/** Names to hold it against: those that were given, else one that says most about it. */
export function namesOf(draft: Draft): string[] {
  const given = draft.names.split("\n").flatMap((line) => line.trim() || []);
  if (given.length > 0) return given.slice(0, 100);
  return [draft.match === "prefix" ? `${draft.pattern}name` : draft.pattern];
}
