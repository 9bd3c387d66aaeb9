/** The fields that narrow down what is shown. */
import { Button, Group, NativeSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";
import { SPANS, wantedBy, type Filters } from "./filters";

interface Props {
  filters: Filters;
  change: (some: Partial<Filters>) => void;
  head: number | null; // what was asked lately is among the choices
  callers: (id: string) => string;
}

const CLEAR = { model: "", provider: "", caller: "", route: "", status: "" };

export function Filtering({ filters, change, head, callers }: Props) {
  const { span, from, to } = filters;
  const names = useQuery({
    queryKey: ["audit", "names", span, from, to, head],
    queryFn: () => {
      const { since, until } = wantedBy(filters, Date.now());
      return told(api.GET("/admin/audit/names", { params: { query: { since, until } } }));
    },
    enabled: head !== null,
    placeholderData: (earlier) => earlier,
  });
  const found = names.data;
  const field = (name: "model" | "provider" | "caller" | "route" | "status", label: string, values: string[], written?: (value: string) => string) => (
    <NativeSelect
      label={label}
      size="xs"
      flex="1 1 9rem"
      value={filters[name]}
      onChange={(event) => change({ [name]: event.currentTarget.value })}
      data={[{ value: "", label: "All" }, ...chosen(values, filters[name]).map((value) => ({ value, label: written?.(value) ?? value }))]}
    />
  );
  return (
    <Group gap="xs" align="end" role="search" aria-label="Filter requests">
      <NativeSelect
        label="Time"
        size="xs"
        flex="1 1 9rem"
        value={span}
        onChange={(event) => change({ span: event.currentTarget.value })}
        data={Object.entries(SPANS).map(([value, { name }]) => ({ value, label: name }))}
      />
      {span === "own" && (
        <>
          <TextInput label="From" size="xs" type="datetime-local" value={from} onChange={(event) => change({ from: event.currentTarget.value })} />
          <TextInput label="To" size="xs" type="datetime-local" value={to} onChange={(event) => change({ to: event.currentTarget.value })} />
        </>
      )}
      {field("model", "Model", found?.models ?? [])}
      {field("provider", "Provider", found?.providers ?? [])}
      {field("caller", "Who asked", found?.callers ?? [], callers)}
      {field("route", "Route", found?.routes ?? [])}
      {field("status", "How it ended", ["failed", ...(found?.statuses ?? []).map(String)], (value) => (value === "failed" ? "Failed" : value))}
      <Button size="xs" variant="default" onClick={() => change(CLEAR)} disabled={Object.keys(CLEAR).every((name) => filters[name as keyof typeof CLEAR] === "")}>
        Show all
      </Button>
    </Group>
  );
}

/** What is chosen is among the choices, even where no row has it any more. */
function chosen(values: string[], value: string): string[] {
  return value === "" || values.includes(value) ? values : [...values, value];
}
