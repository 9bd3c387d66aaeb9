/** How answers are asked for: system prompt and sampling. A chat keeps its own; what a new one begins with is this browser's. */
import { Button, Group, NumberInput, SimpleGrid, Stack, Textarea } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useState } from "react";
import type { Sampling } from "../api/completion";

export interface Defaults extends Sampling {
  system: string;
}

const USUAL: Defaults = { system: "", temperature: 0.7, top_p: 0.9, max_tokens: 1024 };

export function useDefaults() {
  return useLocalStorage<Defaults>({ key: "paddock.chat", defaultValue: USUAL, getInitialValueInEffect: false });
}

interface Props {
  sampling: Sampling;
  change: (sampling: Sampling) => void;
  system: string;
  say: (system: string) => void; // at once for a chat that is to begin; as a message in one that has begun
  begun: boolean;
}

export function OptionFields({ sampling, change, system, say, begun }: Props) {
  const [typed, setTyped] = useState(system);
  const number = (name: keyof Sampling) => (value: string | number) => {
    if (typeof value === "number") change({ ...sampling, [name]: value });
  };
  return (
    <Stack gap="xs">
      <Textarea
        label="System prompt"
        description={begun ? "Of this chat. Another one holds from the next question on." : "What the model is told before anything else."}
        autosize
        minRows={2}
        maxRows={6}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          if (!begun) say(event.currentTarget.value);
        }}
      />
      {begun && typed.trim() !== system.trim() && typed.trim() !== "" && (
        <Group>
          <Button size="xs" onClick={() => say(typed.trim())}>
            Use it from now on
          </Button>
        </Group>
      )}
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="xs">
        <NumberInput
          label="Temperature"
          min={0}
          max={2}
          step={0.1}
          value={sampling.temperature}
          onChange={number("temperature")}
        />
        <NumberInput label="Top p" min={0.01} max={1} step={0.05} value={sampling.top_p} onChange={number("top_p")} />
        <NumberInput
          label="Tokens at most"
          min={1}
          max={131072}
          step={256}
          allowDecimal={false}
          value={sampling.max_tokens}
          onChange={number("max_tokens")}
        />
      </SimpleGrid>
    </Stack>
  );
}
