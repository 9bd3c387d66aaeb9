import { Code, List, Stack, Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { ledTo } from "./rules";

/** What a rule does to names, said as it is while it is written. */
export function RuleTests({ tests, rule }: { tests: readonly Schemas["RuleTest"][]; rule: string }) {
  return (
    <Stack gap={4} role="status" aria-label="What it would do">
      <Text size="sm" fw={500}>
        What it would do
      </Text>
      <List size="sm" style={{ overflowWrap: "anywhere" }}>
        {tests.map((test) => (
          <List.Item key={test.name}>
            <Code>{test.name}</Code> {verdict(test, rule)}
            {test.targets.length === 0 ? " It leads nowhere." : ` It goes to ${test.targets.map(ledTo).join(", else to ")}.`}
          </List.Item>
        ))}
      </List>
    </Stack>
  );
}

function verdict({ fits, decides, decided_by: other }: Schemas["RuleTest"], rule: string): string {
  if (decides) return "fits.";
  if (!fits) return other === null ? "does not fit." : `does not fit; ${other} decides.`;
  return other === null || other === rule ? "fits, but the rule is off." : `fits, but ${other} decides before it.`;
}
