import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";

interface Props {
  name: string; // of the button
  label: string; // the same, with what it is about, for those who hear it alone
  question: string;
  loading: boolean;
  go: () => void;
}

/** A button for what cannot be undone: it asks once more, in its place. */
export function Sure({ name, label, question, loading, go }: Props) {
  const [asking, setAsking] = useState(false);
  if (!asking) {
    return (
      <Button size="compact-sm" variant="default" loading={loading} aria-label={label} onClick={() => setAsking(true)}>
        {name}
      </Button>
    );
  }
  return (
    <Group gap="xs" role="group" aria-label={label}>
      <Text size="sm">{question}</Text>
      <Button
        size="compact-sm"
        color="red.9"
        autoFocus
        onClick={() => {
          setAsking(false);
          go();
        }}
      >
        {name}
      </Button>
      <Button size="compact-sm" variant="default" onClick={() => setAsking(false)}>
        Keep
      </Button>
    </Group>
  );
}
