/** The budget as one bar, a part for each model. */
import { Progress, Stack, Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";

const COLORS = ["teal", "indigo", "grape", "orange", "cyan", "lime"];

export function Budget({ status }: { status: Schemas["ModelsStatus"] }) {
  const { budget_bytes: budget, used_bytes: used, free_bytes: free } = status.memory;
  return (
    <Section name="Budget">
      <Stack gap="xs">
        <Progress.Root size="xl">
          {Object.entries(status.loaded_models).map(([name, model], index) => (
            <Progress.Section
              key={name}
              value={budget > 0 ? (100 * model.granted_bytes) / budget : 0}
              color={COLORS[index % COLORS.length]}
              aria-label={`${name}, share of the budget`}
            />
          ))}
        </Progress.Root>
        <Text size="sm">
          {bytes(used)} of {bytes(budget)} used, {bytes(free)} free · {Object.keys(status.loaded_models).length} of at most{" "}
          {status.max_models} models · preset {status.preset} · who leaves first: {status.policy}
        </Text>
      </Stack>
    </Section>
  );
}
