/** One model that takes room. */
import { Badge, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import { bytes, many, seconds } from "../parts/numbers";
import { Failed } from "../parts/states";

type Change = "unload" | "pin" | "unpin" | "warm";

export function InMemory({ name, model }: { name: string; model: Schemas["LoadedModel"] }) {
  const queries = useQueryClient();
  const params = { path: { id: name } };
  const change = useMutation({
    mutationFn: async (what: Change): Promise<unknown> => {
      if (what === "unload") return told(api.POST("/admin/models/unload/{id}", { params }));
      if (what === "warm") return told(api.POST("/admin/models/warm/{id}", { params }));
      return told(api.POST("/admin/models/pin/{id}", { params, body: { pinned: what === "pin" } }));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["status"] }),
  });
  const pinning: Change = model.preloaded ? "unpin" : "pin";
  return (
    <Paper withBorder p="sm" component="article" aria-label={name}>
      <Stack gap="xs">
        <Group justify="space-between" gap="xs">
          <Group gap="xs" flex="1 1 12rem" miw={0} style={{ overflowWrap: "anywhere" }}>
            <Text fw={600}>{name}</Text>
            <Badge variant="default" tt="none">
              {model.state}
            </Badge>
            {model.preloaded && <Badge tt="none">pinned</Badge>}
          </Group>
          <Group gap="xs">
            <Button
              size="xs"
              variant="default"
              loading={change.isPending && change.variables === "warm"}
              onClick={() => change.mutate("warm")}
              aria-label={`Warm ${name}`}
            >
              Warm
            </Button>
            <Button
              size="xs"
              variant="default"
              onClick={() => change.mutate(pinning)}
              aria-label={`${pinning === "pin" ? "Pin" : "Unpin"} ${name}`}
            >
              {pinning === "pin" ? "Pin" : "Unpin"}
            </Button>
            <Button size="xs" variant="default" onClick={() => change.mutate("unload")} aria-label={`Unload ${name}`}>
              Unload
            </Button>
          </Group>
        </Group>
        <Text size="sm">
          {[
            `predicted ${bytes(model.predicted_bytes)}`,
            model.measured_bytes === null ? "not measured yet" : `measured ${bytes(model.measured_bytes)}`,
            `may grow to ${bytes(model.granted_bytes)}`,
            `cache ${model.kv.blocks_used} of ${model.kv.blocks_total} blocks`,
            `${many(model.prefix_hit_tokens)} tokens found in it`,
          ].join(" · ")}
        </Text>
        <Text size="sm" c="dimmed">
          {[
            `${model.leases} leases`,
            `${model.running} in the batch`,
            `${model.queue} waiting`,
            model.load_seconds === null ? "loading" : `loaded in ${seconds(model.load_seconds)}`,
            leaving(model),
          ].join(" · ")}
        </Text>
        {change.isError && <Failed error={change.error} />}
      </Stack>
    </Paper>
  );
}

function leaving(model: Schemas["LoadedModel"]): string {
  if (model.preloaded || (model.expires_at === null && model.keep_alive_s === null)) return "stays";
  if (model.expires_at === null) return "in use";
  return `leaves at ${new Date(model.expires_at).toLocaleTimeString()} unless it is used`;
}
