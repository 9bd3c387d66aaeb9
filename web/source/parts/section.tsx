import { Stack, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** A part of a page with a name of its own. */
export function Section({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Stack component="section" aria-label={name} gap="sm">
      <Title order={2} size="h4">
        {name}
      </Title>
      {children}
    </Stack>
  );
}
