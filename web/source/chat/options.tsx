/** How the next answer is asked for: system prompt and sampling. Remembered in this browser. */
import { NumberInput, SimpleGrid, Stack, Textarea } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import type { Sampling } from "../api/completion";

export interface Options extends Sampling {
  system: string;
}

const USUAL: Options = { system: "", temperature: 0.7, top_p: 0.9, max_tokens: 1024 };

export function useOptions() {
  return useLocalStorage<Options>({ key: "paddock.chat", defaultValue: USUAL, getInitialValueInEffect: false });
}

interface Props {
  options: Options;
  change: (options: Options) => void;
  begun: boolean;
}

export function OptionFields({ options, change, begun }: Props) {
  const number = (name: keyof Sampling) => (value: string | number) => {
    if (typeof value === "number") change({ ...options, [name]: value });
  };
  return (
    <Stack gap="xs">
      <Textarea
        label="System prompt"
        description={begun ? "Of the next chat: this one began with its own." : "What the model is told before anything else."}
        autosize
        minRows={2}
        maxRows={6}
        value={options.system}
        onChange={(event) => change({ ...options, system: event.currentTarget.value })}
      />
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="xs">
        <NumberInput
          label="Temperature"
          min={0}
          max={2}
          step={0.1}
          value={options.temperature}
          onChange={number("temperature")}
        />
        <NumberInput label="Top p" min={0.01} max={1} step={0.05} value={options.top_p} onChange={number("top_p")} />
        <NumberInput
          label="Tokens at most"
          min={1}
          max={131072}
          step={256}
          allowDecimal={false}
          value={options.max_tokens}
          onChange={number("max_tokens")}
        />
      </SimpleGrid>
    </Stack>
  );
}
