/** Tokens, first tokens, errors and cost over time. */
import { NativeSelect, SimpleGrid, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";
import { many } from "../parts/numbers";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";
import { Chart } from "./chart";
import { wantedBy, type Filters, type Grouping } from "./filters";
import { cost, groupName, took } from "./names";
import { drawn, type Totals } from "./series";

const WORDS: Record<Grouping, string> = { model: "By model", provider: "By provider", caller: "By who asked", route: "By route" };
const mean = (totals: Totals) => (totals.first_tokens ? totals.first_token_us / totals.first_tokens : 0);
const tokens = (totals: Totals) => totals.prompt_tokens + totals.completion_tokens;

interface Props {
  filters: Filters;
  head: number | null;
  callers: (id: string) => string;
  group: (by: Grouping) => void;
}

export function Charts({ filters, head, callers, group }: Props) {
  const { before: _, ...view } = filters;
  const summary = useQuery({
    queryKey: ["audit", "summary", view, head],
    queryFn: () => told(api.GET("/admin/audit/summary", { params: { query: { ...wantedBy(filters, Date.now()), by: filters.by } } })),
    enabled: head !== null,
    placeholderData: (earlier) => earlier,
  });
  const label = (name: string | null) => groupName(filters.by, name, callers);
  return (
    <Section name="Over time">
      <NativeSelect
        aria-label="Colours of the charts"
        maw="14rem"
        value={filters.by}
        onChange={(event) => group(event.currentTarget.value as Grouping)}
        data={Object.entries(WORDS).map(([value, words]) => ({ value, label: words }))}
      />
      <Loaded query={summary}>
        {(sums) => {
          const { totals, step_s } = sums;
          const common = { step_s, label };
          return (
            <>
              <Text size="sm">
                {many(totals.requests)} requests, {many(totals.failed)} of them failed · {many(totals.prompt_tokens)} tokens read (
                {many(totals.cached_tokens)} from the cache), {many(totals.completion_tokens)} written
              </Text>
              <SimpleGrid cols={{ base: 1, lg: 2 }}>
                <Chart
                  {...common}
                  name="Tokens"
                  kind="bars"
                  about={`${many(tokens(totals))} read and written`}
                  data={drawn(sums, tokens, { stacked: true })}
                  written={many}
                />
                <Chart
                  {...common}
                  name="Time to the first token"
                  kind="lines"
                  about={`half within ${took(sums.first_token_median_us)}, one in twenty over ${took(sums.first_token_slow_us)}`}
                  data={drawn(sums, mean, { stacked: false })}
                  written={took}
                />
                <Chart
                  {...common}
                  name="Errors"
                  kind="bars"
                  about={`${many(totals.failed)} of ${many(totals.requests)} requests`}
                  data={drawn(sums, (one) => one.failed, { stacked: true })}
                  written={many}
                />
                <Chart
                  {...common}
                  name="Cost"
                  kind="bars"
                  about={
                    totals.priced === 0
                      ? "no prices are set: `audit.prices`"
                      : `${cost(totals.cost_nanos)} for ${many(totals.priced)} requests with a price`
                  }
                  data={drawn(sums, (one) => one.cost_nanos, { stacked: true })}
                  written={cost}
                />
              </SimpleGrid>
            </>
          );
        }}
      </Loaded>
    </Section>
  );
}
