import { Stack, Title } from "@mantine/core";
import { useThrottledValue } from "@mantine/hooks";
import { useParams } from "wouter";
import { Charts } from "./charts";
import { Filtering } from "./filtering";
import { useFilters } from "./filters";
import { Live, useLive } from "./live";
import { useCallers } from "./names";
import { Proof } from "./proof";
import { OneRequest } from "./request";
import { Rows } from "./rows";

const SUMS_MS = 10_000; // adding up many rows costs more than listing the latest

/** Activity: who asks what of whom, now and before. */
export function ActivityPage() {
  const { seq } = useParams<{ seq?: string }>();
  return seq !== undefined && /^\d{1,15}$/.test(seq) ? <OneRequest seq={Number(seq)} /> : <Everything />;
}

function Everything() {
  const [filters, change] = useFilters();
  const callers = useCallers();
  const live = useLive();
  const head = live.data?.head_seq ?? (live.isError ? 0 : null); // null: not known yet
  const slowly = useThrottledValue(head, SUMS_MS);
  return (
    <Stack gap="xl" maw="110rem" mx="auto">
      <Title order={1}>Activity</Title>
      <Live live={live} callers={callers} />
      <Filtering filters={filters} change={change} head={slowly} callers={callers} />
      <Charts filters={filters} head={slowly} callers={callers} group={(by) => change({ by })} />
      <Rows filters={filters} head={head} callers={callers} turn={(before) => change({ before })} />
      <Proof filters={filters} />
    </Stack>
  );
}
