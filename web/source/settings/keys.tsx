/** Keys of programs. Each is shown once, when it is made. */
import { Alert, Badge, Button, Code, Group, Paper, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, told, type Schemas } from "../api/client";
import { Copy } from "../parts/copy";
import { many } from "../parts/numbers";
import { Section } from "../parts/section";
import { Empty, Failed, Loaded } from "../parts/states";
import { AddKey } from "./new-key";
import { Sure } from "./sure";

type Key = Schemas["ApiKey"];

export function Keys() {
  const queries = useQueryClient();
  const keys = useQuery({ queryKey: ["keys"], queryFn: () => told(api.GET("/admin/keys")) });
  const [made, setMade] = useState<Schemas["NewKey"] | null>(null);
  const show = (key: Schemas["NewKey"]) => {
    setMade(key);
    void queries.invalidateQueries({ queryKey: ["keys"] });
  };
  return (
    <>
      {made !== null && <Shown made={made} done={() => setMade(null)} />}
      <Section name="API keys">
        <Loaded query={keys}>
          {({ keys: all }) => (
            <Stack gap="xs">
              {all.length === 0 && <Empty>There is no key yet. From the first key or user on, every program has to show one.</Empty>}
              {all.map((key) => (
                <OneKey key={key.id} apiKey={key} show={show} />
              ))}
            </Stack>
          )}
        </Loaded>
      </Section>
      <Section name="Make a key">
        <AddKey made={show} isFirst={keys.data?.keys.length === 0} />
      </Section>
    </>
  );
}

function Shown({ made, done }: { made: Schemas["NewKey"]; done: () => void }) {
  return (
    <Alert role="status" variant="outline" color="teal" title={`The key ${made.key.name}`}>
      <Stack gap="xs" align="start">
        <Text size="sm">Copy it now: it is not kept, and never shown again.</Text>
        <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }} tabIndex={0} aria-label="The new key">
          {made.secret}
        </Code>
        <Group gap="xs">
          <Copy text={made.secret} label="Copy the key" />
          <Button size="compact-xs" variant="default" onClick={done}>
            I have it
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}

function OneKey({ apiKey, show }: { apiKey: Key; show: (key: Schemas["NewKey"]) => void }) {
  const queries = useQueryClient();
  const params = { path: { which: apiKey.id } };
  const changed = () => queries.invalidateQueries({ queryKey: ["keys"] });
  const revoke = useMutation({ mutationFn: () => told(api.POST("/admin/keys/{which}/revoke", { params })), onSuccess: changed });
  const remove = useMutation({ mutationFn: () => told(api.DELETE("/admin/keys/{which}", { params })), onSuccess: changed });
  const rotate = useMutation({
    mutationFn: () => told(api.POST("/admin/keys/{which}/rotate", { params, body: { grace_s: 0 } })),
    onSuccess: show,
  });
  const error = revoke.error ?? remove.error ?? rotate.error;
  const state = stateOf(apiKey, new Date());
  return (
    <Paper withBorder p="sm" component="article" aria-label={apiKey.name}>
      <Stack gap="xs" style={{ overflowWrap: "anywhere" }}>
        <Group justify="space-between" gap="xs">
          <Group gap="xs" flex="1 1 10rem" miw={0}>
            <Text fw={600}>{apiKey.name}</Text>
            {state !== null && (
              <Badge variant="default" tt="none">
                {state}
              </Badge>
            )}
          </Group>
          <Group gap="xs">
            {apiKey.revoked_at === null && (
              <>
                <Sure
                  name="New secret"
                  label={`New secret for ${apiKey.name}`}
                  question="The old one opens nothing then."
                  loading={rotate.isPending}
                  go={() => rotate.mutate()}
                />
                <Sure
                  name="Revoke"
                  label={`Revoke ${apiKey.name}`}
                  question="It opens nothing then."
                  loading={revoke.isPending}
                  go={() => revoke.mutate()}
                />
              </>
            )}
            <Sure
              name="Remove"
              label={`Remove ${apiKey.name}`}
              question="Its requests lose their name then."
              loading={remove.isPending}
              go={() => remove.mutate()}
            />
          </Group>
        </Group>
        <Text size="sm" c="dimmed">
          {terms(apiKey).join(" · ")}
        </Text>
        {error !== null && <Failed error={error} />}
      </Stack>
    </Paper>
  );
}

function stateOf(key: Key, now: Date): string | null {
  if (key.revoked_at !== null) return `revoked ${new Date(key.revoked_at).toLocaleDateString()}`;
  if (key.expires_at !== null && new Date(key.expires_at) <= now) return "expired";
  return null;
}

function terms(key: Key): string[] {
  return [
    `pk_${key.id}_…`,
    key.scopes.join(", "),
    key.models.length === 0 ? "every model" : key.models.join(", "),
    key.requests_per_minute === null ? "" : `${many(key.requests_per_minute)} requests a minute`,
    key.tokens_per_day === null ? "" : `${many(key.tokens_per_day)} tokens a day`,
    key.tokens_today > 0 ? `${many(key.tokens_today)} tokens today` : "",
    key.expires_at === null ? "no end" : `until ${new Date(key.expires_at).toLocaleString()}`,
    key.last_used_at === null ? "not used yet" : `last used ${new Date(key.last_used_at).toLocaleString()}`,
  ].filter((words) => words !== "");
}
