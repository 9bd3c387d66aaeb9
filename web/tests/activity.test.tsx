import { MantineProvider } from "@mantine/core";
import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { Chart } from "../source/activity/chart";
import { filtersIn, wantedBy } from "../source/activity/filters";
import { cost, groupName, took } from "../source/activity/names";
import { drawn, roundUp, type Totals } from "../source/activity/series";

const NOTHING: Totals = {
  requests: 0,
  failed: 0,
  prompt_tokens: 0,
  cached_tokens: 0,
  completion_tokens: 0,
  cost_nanos: 0,
  priced: 0,
  first_token_us: 0,
  first_tokens: 0,
  duration_us: 0,
};
const few = { ...NOTHING, requests: 2 };
const many = { ...NOTHING, requests: 7 };
const SUMMARY = {
  since: "2026-11-28T10:00:30Z",
  until: "2026-11-28T10:20:00Z",
  step_s: 300,
  totals: { ...NOTHING, requests: 9 },
  first_token_median_us: null,
  first_token_slow_us: null,
  groups: [
    { name: "<b>pony</b>", totals: many },
    { name: null, totals: few },
  ],
  points: [
    { at: "2026-11-28T10:00:00Z", name: "<b>pony</b>", totals: many },
    { at: "2026-11-28T10:15:00Z", name: null, totals: few },
  ],
};

test("what stands in the address is what the server is asked, and nonsense in it is nothing", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const wanted = (words: string) => wantedBy(filtersIn(new URLSearchParams(words)), now);
  expect(wanted("")).toEqual({ since: "2026-11-27T12:00:00.000Z" });
  expect(wanted("span=all&model=pony&status=failed")).toEqual({ model: "pony", failed: true });
  expect(wanted("span=all&status=404&caller=key:1&route=exact")).toEqual({ status: 404, caller: "key:1", route: "exact" });
  expect(wanted("span=own&from=2026-11-01T00:00Z&to=never")).toEqual({ since: "2026-11-01T00:00:00.000Z" });
  expect(wanted("span=decade&status=<b>&before=-3&by=colour")).toEqual({ since: "2026-11-27T12:00:00.000Z" });
  expect(filtersIn(new URLSearchParams("before=12")).before).toBe(12);
});

test("every step has its place, and where nothing happened is nothing", () => {
  const data = drawn(SUMMARY, (totals) => totals.requests, { stacked: true });
  expect(data.times.map((time) => time.toISOString().slice(11, 16))).toEqual(["10:00", "10:05", "10:10", "10:15"]);
  expect(data.series.map((series) => series.values)).toEqual([
    [7, 0, 0, 0],
    [0, 0, 0, 2],
  ]);
  expect(data.highest).toBe(7);
  expect([0, 3, 7, 10, 11, 0.26].map(roundUp)).toEqual([1, 5, 10, 10, 20, 0.5]);
});

test("a chart says what it shows, and is a table for who wants one; names stay text", () => {
  const data = drawn(SUMMARY, (totals) => totals.requests, { stacked: true });
  const written = (value: number) => String(value);
  render(
    <MantineProvider>
      <Chart name="Requests" about="9 in all" data={data} step_s={300} label={(name) => name ?? "all others"} written={written} kind="bars" />
    </MantineProvider>,
  );
  expect(screen.getByRole("region", { name: "Requests" }).textContent).toContain("<b>pony</b>: 7");
  expect(screen.queryAllByRole("table")).toHaveLength(0);
  const details = screen.getByText("As a table").closest("details")!;
  details.open = true;
  fireEvent(details, new Event("toggle"));
  expect(screen.getAllByRole("columnheader").map((cell) => cell.textContent)).toEqual(["From", "<b>pony</b>", "all others"]);
  expect(screen.getAllByRole("row")).toHaveLength(3); // its head, and the two steps in which something happened
});

test("times, costs and groups are written as people read them", () => {
  expect([null, 900, 45_000, 2_340_000, 90_000_000].map(took)).toEqual(["–", "0.9 ms", "45 ms", "2.34 s", "1.5 min"]);
  expect([null, 0, 1_500_000_000, 1_234_000].map(cost)).toEqual(["–", "0.00", "1.50", "0.0012"]);
  const callers = (id: string) => `known ${id}`;
  expect(groupName("caller", "key:1", callers)).toBe("known key:1");
  expect(groupName("model", "", callers)).toBe("answered by nobody");
  expect(groupName("model", null, callers)).toBe("all others");
});
