/** Whether the rows are as they were written, and a copy of them to keep elsewhere. */
import { Alert, Button, Code, Group, List, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { api, ask, told, type Schemas } from "../api/client";
import { Copy } from "../parts/copy";
import { many } from "../parts/numbers";
import { Section } from "../parts/section";
import { Failed } from "../parts/states";
import { wantedBy, type Filters } from "./filters";

type Format = "csv" | "jsonl";

export function Proof({ filters }: { filters: Filters }) {
  const check = useMutation({ mutationFn: () => told(api.GET("/admin/audit/verify")) });
  const save = useMutation({ mutationFn: (format: Format) => download(filters, format) });
  return (
    <Section name="Check and keep">
      <Text size="sm">
        Each row is sealed to the one before it: what was altered, taken away or moved is found. Exports hold the rows that fit the
        filters above, the oldest first.
      </Text>
      <Group gap="xs">
        <Button variant="default" loading={check.isPending} onClick={() => check.mutate()}>
          Check every row
        </Button>
        <Button variant="default" loading={save.isPending && save.variables === "csv"} onClick={() => save.mutate("csv")}>
          Export as CSV
        </Button>
        <Button variant="default" loading={save.isPending && save.variables === "jsonl"} onClick={() => save.mutate("jsonl")}>
          Export as JSON lines
        </Button>
      </Group>
      {check.isError && <Failed error={check.error} />}
      {save.isError && <Failed error={save.error} />}
      {check.data && <Result check={check.data} />}
    </Section>
  );
}

function Result({ check }: { check: Schemas["AuditCheck"] }) {
  return (
    <Alert
      role="status"
      variant="outline"
      color={check.is_sound ? "teal" : "red"}
      title={check.is_sound ? `All ${many(check.rows)} rows are as they were written.` : "Not all rows are as they were written."}
    >
      <Stack gap="xs" align="start">
        {check.problems.length > 0 && (
          <List size="sm">
            {check.problems.map((problem, index) => (
              <List.Item key={index}>
                Row {problem.seq}: {problem.what}
              </List.Item>
            ))}
          </List>
        )}
        {check.head_seq > 0 && (
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            The last is row {check.head_seq} with the hash <Code>{check.head_hash}</Code>. Note both elsewhere: whoever can write the
            whole database cannot make another chain with that hash.
          </Text>
        )}
        <Group gap="xs">
          {check.head_seq > 0 && <Copy text={`${check.head_seq} ${check.head_hash}`} label="Copy the number and the hash" />}
          {check.pruned > 0 && <Text size="sm">{many(check.pruned)} older rows were let go in time.</Text>}
          {check.dropped > 0 && <Text size="sm">{many(check.dropped)} requests could not be written down.</Text>}
        </Group>
      </Stack>
    </Alert>
  );
}

/** Fetched, not linked to: whoever came in with a key has nothing that a link would carry. */
async function download(filters: Filters, format: Format): Promise<void> {
  const words = new URLSearchParams({ format });
  for (const [name, value] of Object.entries(wantedBy(filters, Date.now()))) words.set(name, String(value));
  const file = URL.createObjectURL(await (await ask(`/admin/audit/export?${words}`)).blob());
  const link = document.createElement("a");
  link.href = file;
  link.download = `paddock-audit.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(file), 60_000);
}
