/** Start: what this machine can run, a model to try at once, the lines to paste into a client. */
import { Button, Code, Group, Stack, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { useStatus } from "../memory/status";
import { useModels } from "../models/library";
import { Copy } from "../parts/copy";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";
import { client, largest } from "./words";

export function StartPage() {
  const status = useStatus();
  const models = useModels();
  const lines = client(location.origin);
  return (
    <Stack gap="xl" maw="60rem" mx="auto">
      <Title order={1}>AI models on your own machine</Title>
      <Section name="1. What this machine can run">
        <Loaded query={status}>
          {({ memory, max_models }) => (
            <Text>
              Models may take {bytes(memory.budget_bytes)} of memory, up to {max_models} at a time. That is room for a model of
              about {largest(memory.budget_bytes, 4)} billion parameters in four bits, or {largest(memory.budget_bytes, 16)}{" "}
              billion in sixteen. Each model's plan says exactly, before a byte is fetched.
            </Text>
          )}
        </Loaded>
      </Section>
      <Section name="2. A model to start with">
        <Loaded query={models}>
          {(all) => (
            <Text>
              {all.some((model) => model.name === "pony") && (
                <>
                  <Code>pony</Code> is here already: tiny, it knows little, and it answers at once without a network.{" "}
                </>
              )}
              {all.length} {all.length === 1 ? "model is" : "models are"} on this machine.
            </Text>
          )}
        </Loaded>
        <Group gap="xs">
          <Button component={Link} href="/chat">
            Chat now
          </Button>
          <Button component={Link} href="/models" variant="default">
            Find a model
          </Button>
        </Group>
      </Section>
      <Section name="3. Point your client at it">
        <Code block tabIndex={0}>
          {lines}
        </Code>
        <Group>
          <Copy text={lines} label="Copy these lines" />
        </Group>
        <Text size="sm">
          These lines are for OpenAI's clients. Anthropic's and Ollama's take the address without <Code>/v1</Code>.
        </Text>
      </Section>
    </Stack>
  );
}
