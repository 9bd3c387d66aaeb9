/** Which requests one looks at. They stand in the address, so that a view can be kept, sent and gone back to. */
import { useMemo } from "react";
import { useSearchParams } from "wouter";

export const SPANS: Record<string, { name: string; seconds: number | null }> = {
  hour: { name: "The last hour", seconds: 3600 },
  day: { name: "The last day", seconds: 86400 },
  week: { name: "The last week", seconds: 7 * 86400 },
  month: { name: "The last 30 days", seconds: 30 * 86400 },
  all: { name: "All that is kept", seconds: null },
  own: { name: "From … to …", seconds: null },
};
export const GROUPINGS = ["model", "provider", "caller", "route"] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface Filters {
  span: string;
  from: string; // as fields for times have them: local, without a zone; for `own` alone
  to: string;
  model: string;
  provider: string;
  caller: string;
  route: string;
  status: string; // a number, `failed`, or empty
  by: Grouping;
  before: number | null; // a page's end
}

/** What the server is asked with. `now` is when. */
export interface Wanted {
  since?: string;
  until?: string;
  model?: string;
  provider?: string;
  caller?: string;
  route?: string;
  status?: number;
  failed?: boolean;
}

export function filtersIn(words: URLSearchParams): Filters {
  const word = (name: string) => words.get(name) ?? "";
  const by = GROUPINGS.find((one) => one === word("by")) ?? "model";
  const before = Number(word("before"));
  return {
    span: word("span") in SPANS ? word("span") : "day",
    from: word("from"),
    to: word("to"),
    model: word("model"),
    provider: word("provider"),
    caller: word("caller"),
    route: word("route"),
    status: /^([1-5]\d\d|failed)$/.test(word("status")) ? word("status") : "",
    by,
    before: Number.isInteger(before) && before > 0 ? before : null,
  };
}

export function wantedBy(filters: Filters, now: number): Wanted {
  const span = SPANS[filters.span]?.seconds;
  const wanted: Wanted = {};
  if (span) wanted.since = new Date(now - span * 1000).toISOString();
  if (filters.span === "own") {
    if (timeIn(filters.from)) wanted.since = timeIn(filters.from);
    if (timeIn(filters.to)) wanted.until = timeIn(filters.to);
  }
  for (const name of ["model", "provider", "caller", "route"] as const) if (filters[name]) wanted[name] = filters[name];
  if (filters.status === "failed") wanted.failed = true;
  else if (filters.status) wanted.status = Number(filters.status);
  return wanted;
}

/** The filters of the address, and a way to change some. Any change but of the page begins at the first page. */
export function useFilters(): [Filters, (change: Partial<Filters>) => void] {
  const [words, setWords] = useSearchParams();
  const filters = useMemo(() => filtersIn(words), [words]);
  function change(some: Partial<Filters>) {
    setWords((before) => {
      const after = new URLSearchParams(before);
      if (!("by" in some)) after.delete("before");
      for (const [name, value] of Object.entries(some)) {
        if (value === "" || value === null) after.delete(name);
        else after.set(name, String(value));
      }
      return after;
    });
  }
  return [filters, change];
}

function timeIn(text: string): string | undefined {
  const time = new Date(text);
  return text === "" || Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
