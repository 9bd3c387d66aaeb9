/** How much memory models may take and who leaves first, changed with a look at what that would do. */
import { Alert, Button, Group, List, NativeSelect, NumberInput, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";
import { Failed, Loaded } from "../parts/states";

interface Limits {
  memory: string;
  max_models: number;
  policy: "lru" | "largest" | "idle";
}

const POLICIES = [
  { value: "lru", label: "Least recently used (lru)" },
  { value: "largest", label: "Whoever takes most (largest)" },
  { value: "idle", label: "Idle for longest (idle)" },
];

export function LimitsSection() {
  const settings = useQuery({
    queryKey: ["settings"],
    queryFn: async () => (await told(api.GET("/admin/config"))).settings,
  });
  return (
    <Section name="Limits">
      <Loaded query={settings}>
        {(all) => {
          const value = (key: string) => all.find((line) => line.key === `pool.${key}`)?.value;
          const memory = String(value("memory") ?? "");
          const policy = String(value("policy") ?? "lru") as Limits["policy"];
          const limits = { memory, max_models: Number(value("max_models")), policy };
          return <LimitsForm key={JSON.stringify(limits)} now={limits} />;
        }}
      </Loaded>
    </Section>
  );
}

function LimitsForm({ now }: { now: Limits }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useState(now);
  const changed = typed.memory.trim() !== now.memory || typed.max_models !== now.max_models || typed.policy !== now.policy;
  const [asked] = useDebouncedValue(typed, 300);
  const settled = asked === typed;
  const preview = useQuery({
    queryKey: ["limits", asked],
    enabled: changed && settled,
    refetchInterval: changed && settled ? 2000 : false, // who is in use changes
    queryFn: () => told(api.POST("/admin/models/limits/plan", { body: { ...asked, memory: asked.memory.trim() } })),
  });
  const saved = useMutation({
    mutationFn: ({ memory, max_models, policy }: Limits) => {
      const all = { "pool.memory": memory.trim(), "pool.max_models": String(max_models), "pool.policy": policy };
      const old = { "pool.memory": now.memory, "pool.max_models": String(now.max_models), "pool.policy": now.policy };
      const values = Object.fromEntries(Object.entries(all).filter(([key, value]) => value !== old[key as keyof typeof old]));
      return told(api.PATCH("/admin/config", { body: { values } }));
    },
    onSuccess: async () => {
      await Promise.all(["settings", "status"].map((key) => queries.invalidateQueries({ queryKey: [key] })));
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    saved.mutate(typed);
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="xs" maw="60rem">
        <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="xs">
          <TextInput
            label="Memory for models"
            description="A share like 75%, or bytes like 6GB"
            maxLength={100}
            value={typed.memory}
            onChange={(event) => setTyped({ ...typed, memory: event.currentTarget.value })}
          />
          <NumberInput
            label="Models at once"
            description="In memory, at most"
            min={1}
            max={1000}
            allowDecimal={false}
            value={typed.max_models}
            onChange={(value) => {
              if (typeof value === "number") setTyped({ ...typed, max_models: value });
            }}
          />
          <NativeSelect
            label="Who leaves first"
            description="Among those that are not in use"
            data={POLICIES}
            value={typed.policy}
            onChange={(event) => setTyped({ ...typed, policy: event.currentTarget.value as Limits["policy"] })}
          />
        </SimpleGrid>
        {changed && preview.isError && <Failed error={preview.error} />}
        {changed && preview.data && settled && <Foreseen preview={preview.data} />}
        {saved.isError && <Failed error={saved.error} />}
        {saved.data?.settings
          .filter((line) => !line.applied)
          .map((line) => (
            <Text size="sm" key={line.key} role="status">
              {line.key}: {line.note}
            </Text>
          ))}
        <Group gap="xs">
          <Button type="submit" size="xs" disabled={!changed || !settled || !preview.isSuccess} loading={saved.isPending}>
            Save limits
          </Button>
          {changed && (
            <Button size="xs" variant="default" onClick={() => setTyped(now)}>
              Leave them
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

/** What the server says would happen. */
function Foreseen({ preview }: { preview: Schemas["LimitsPreview"] }) {
  const { leaves, stays, over_bytes, over_models } = preview;
  const held = stays.filter((one) => one.held_by !== "");
  const over = over_bytes > 0 || over_models > 0;
  return (
    <Alert color={leaves.length > 0 || over ? "orange" : "gray"} role="status" style={{ overflowWrap: "anywhere" }}>
      <Text size="sm">
        Models could take {bytes(preview.budget_bytes)}, at most {preview.max_models} at once.{" "}
        {leaves.length === 0 ? "No model would leave now." : "These would leave at once:"}
      </Text>
      {leaves.length > 0 && (
        <List size="sm">
          {leaves.map((one) => (
            <List.Item key={one.name}>
              {one.name}, {bytes(one.room_bytes)}
            </List.Item>
          ))}
        </List>
      )}
      {over && (
        <Text size="sm">
          {over_bytes > 0 ? `${bytes(over_bytes)} too much` : `${over_models} too many`} would stay until they may leave:{" "}
          {held.map((one) => `${one.name} (${one.held_by})`).join(", ")}.
        </Text>
      )}
    </Alert>
  );
}
