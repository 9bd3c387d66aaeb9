/** What a provider has said that it has: to be searched, priced where a price is set, and looked up. */
import { Anchor, Button, Group, List, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { priceOf, usePrices } from "./prices";

const AT_ONCE = 30;

export function FarModels({ provider, models }: { provider: string; models: readonly string[] }) {
  const prices = usePrices();
  const [words, setWords] = useState("");
  const [most, setMost] = useState(AT_ONCE);
  const sought = words.trim().toLowerCase();
  const found = sought === "" ? models : models.filter((model) => model.toLowerCase().includes(sought));
  return (
    <Stack gap="xs" component="section" aria-label={`Models of ${provider}`}>
      <Text size="sm" role="status">
        It answers, and has {models.length === 1 ? "one model" : `${models.length.toLocaleString("en")} models`}.
      </Text>
      {models.length > 10 && (
        <TextInput
          size="xs"
          maw="24rem"
          label="Find a model"
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
        />
      )}
      {models.length > 0 && found.length === 0 && <Text size="sm" c="dimmed">None has this in its name.</Text>}
      <List size="sm" style={{ columns: "18rem" }}>
        {found.slice(0, most).map((model) => (
          <List.Item key={model}>
            <Anchor component={Link} size="sm" href={`/routing?ask=${encodeURIComponent(`${provider}/${model}`)}`}>
              {model}
            </Anchor>{" "}
            <Text span size="sm" c="dimmed">
              {priceOf(model, prices.data ?? [])}
            </Text>
          </List.Item>
        ))}
      </List>
      {found.length > most && (
        <Group>
          <Button size="xs" variant="default" onClick={() => setMost(most + 10 * AT_ONCE)}>
            {(found.length - most).toLocaleString("en")} more
          </Button>
        </Group>
      )}
    </Stack>
  );
}
