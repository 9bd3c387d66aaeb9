/** Names with values, such as headers and options: one row each, added and taken away. */
import { Button, Fieldset, Group, Stack, Text, TextInput } from "@mantine/core";

export type Pair = readonly [name: string, value: string];

interface Props {
  legend: string;
  one: string; // what one of them is called: `Header`
  hint?: string;
  error?: string;
  pairs: readonly Pair[];
  change: (pairs: Pair[]) => void;
}

export function Pairs({ legend, one, hint, error, pairs, change }: Props) {
  const put = (index: number, pair: Pair) => change(pairs.map((each, at) => (at === index ? pair : each)));
  return (
    <Fieldset legend={legend} p="sm">
      <Stack gap="xs" align="stretch">
        {hint && (
          <Text size="xs" c="dimmed">
            {hint}
          </Text>
        )}
        {pairs.map(([name, value], index) => (
          <Group key={index} gap="xs" align="flex-end">
            <TextInput
              flex="1 1 8rem"
              miw={0}
              size="xs"
              label={`${one} ${index + 1}: name`}
              value={name}
              onChange={(event) => put(index, [event.currentTarget.value, value])}
            />
            <TextInput
              flex="2 1 10rem"
              miw={0}
              size="xs"
              label="Value"
              aria-label={`${one} ${index + 1}: value`}
              value={value}
              onChange={(event) => put(index, [name, event.currentTarget.value])}
            />
            <Button
              size="xs"
              variant="default"
              aria-label={`Remove ${one.toLowerCase()} ${index + 1}`}
              onClick={() => change(pairs.filter((_, at) => at !== index))}
            >
              Remove
            </Button>
          </Group>
        ))}
        {error && (
          <Text size="xs" c="var(--mantine-color-error)" role="alert">
            {error}
          </Text>
        )}
        <Group>
          <Button size="xs" variant="default" onClick={() => change([...pairs, ["", ""]])}>
            Add {article(one)} {one.toLowerCase()}
          </Button>
        </Group>
      </Stack>
    </Fieldset>
  );
}

/** Values of any kind as they are typed: what reads as JSON is JSON, everything else is a text. */
export function toPairs(values: Readonly<Record<string, unknown>>): Pair[] {
  return Object.entries(values).map(([name, value]) => [name, written(value)]);
}

/** The other way. Rows without a name are not there. */
export function fromPairs(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(named(pairs).map(([name, value]) => [name, read(value)]));
}

/** The same where every value is a text, as those of headers are. */
export function textsFromPairs(pairs: readonly Pair[]): Record<string, string> {
  return Object.fromEntries(named(pairs));
}

function named(pairs: readonly Pair[]): [string, string][] {
  return pairs.flatMap(([name, value]) => (name.trim() === "" ? [] : [[name.trim(), value]]));
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function written(value: unknown): string {
  return typeof value === "string" && read(value) === value ? value : JSON.stringify(value);
}

function article(word: string): string {
  return /^[aeiou]/i.test(word) ? "an" : "a";
}
