/** From one version of a message to the next. */
import { ActionIcon, Group, Text } from "@mantine/core";
import { useLocation } from "wouter";
import type { Versions } from "./branches";

export function Fork({ versions: { chats, here } }: { versions: Versions }) {
  const [, go] = useLocation();
  const arrow = (step: number, label: string, sign: string) => (
    <ActionIcon
      size="sm"
      variant="default"
      aria-label={label}
      disabled={chats[here + step] === undefined}
      onClick={() => go(`/chat/${chats[here + step]}`)}
    >
      {sign}
    </ActionIcon>
  );
  return (
    <Group gap={4} role="group" aria-label="Versions">
      {arrow(-1, "Earlier version", "‹")}
      <Text size="xs" c="dimmed">
        {here + 1} of {chats.length}
      </Text>
      {arrow(1, "Later version", "›")}
    </Group>
  );
}
