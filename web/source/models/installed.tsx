/** Models on this disk. */
import { Badge, Button, Group, Modal, Stack, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, told, type Schemas } from "../api/client";
import { bytes, many } from "../parts/numbers";
import { Scrolled } from "../parts/scrolled";
import { Section } from "../parts/section";
import { Empty, Failed, Loaded } from "../parts/states";
import { useModels } from "./library";

type Model = Schemas["ModelInfo"];
const NOWRAP = { whiteSpace: "nowrap" } as const;

export function Installed() {
  const models = useModels();
  const [removing, setRemoving] = useState<Model | null>(null);
  return (
    <Section name="On this machine">
      <Loaded query={models}>
        {(all) =>
          all.length === 0 ? (
            <Empty>No models yet. Search for one below.</Empty>
          ) : (
            <Scrolled name="Models on this machine">
              <Table miw="56rem">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Name</Table.Th>
                    <Table.Th>Family</Table.Th>
                    <Table.Th>Format</Table.Th>
                    <Table.Th ta="right">Size</Table.Th>
                    <Table.Th ta="right">Parameters</Table.Th>
                    <Table.Th ta="right">Context</Table.Th>
                    <Table.Th>Can</Table.Th>
                    <Table.Th>Last used</Table.Th>
                    <Table.Th>
                      <VisuallyHidden>Actions</VisuallyHidden>
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {all.map((model) => (
                    <Row key={model.name} model={model} remove={() => setRemoving(model)} />
                  ))}
                </Table.Tbody>
              </Table>
            </Scrolled>
          )
        }
      </Loaded>
      {removing && <Remove model={removing} close={() => setRemoving(null)} />}
    </Section>
  );
}

function Row({ model, remove }: { model: Model; remove: () => void }) {
  const can = Object.entries(model.capabilities).flatMap(([name, able]) => (able && name !== "streaming" ? [name] : []));
  return (
    <Table.Tr>
      <Table.Td maw="22rem" style={{ overflowWrap: "anywhere" }}>
        <Text size="sm" fw={600}>
          {model.name}
        </Text>
        {model.origin !== "pulled" && (
          <Text size="xs" c="dimmed">
            {model.origin === "builtin" ? "built in" : model.origin}
          </Text>
        )}
      </Table.Td>
      <Table.Td>{model.family}</Table.Td>
      <Table.Td>
        {model.format} {model.quantization && <Text span c="dimmed" size="sm">{model.quantization}</Text>}
      </Table.Td>
      <Table.Td ta="right" style={NOWRAP}>{bytes(model.size)}</Table.Td>
      <Table.Td ta="right">{many(model.parameters)}</Table.Td>
      <Table.Td ta="right">{model.context_window.toLocaleString("en")}</Table.Td>
      <Table.Td>
        <Group gap={4}>
          {can.map((name) => (
            <Badge key={name} variant="default" size="sm" tt="none">
              {name}
            </Badge>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>{model.last_used_at ? new Date(model.last_used_at).toLocaleString() : "never"}</Table.Td>
      <Table.Td ta="right">
        {model.origin !== "builtin" && (
          <Button size="compact-sm" variant="default" onClick={remove} aria-label={`Remove ${model.name}`}>
            Remove
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Remove({ model, close }: { model: Model; close: () => void }) {
  const queries = useQueryClient();
  const removed = useMutation({
    mutationFn: () =>
      told(
        api.DELETE("/admin/library/models/{name}", {
          params: { path: { name: model.name }, query: { adopted: model.origin === "adopted" } },
        }),
      ),
    onSuccess: async () => {
      await Promise.all(["models", "usage"].map((key) => queries.invalidateQueries({ queryKey: [key] })));
      close();
    },
  });
  return (
    <Modal opened onClose={close} title="Remove this model?" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Text style={{ overflowWrap: "anywhere" }}>
          {model.name} ({bytes(model.size)}) is removed from this disk.
          {model.origin === "adopted" && " Another program keeps it: it will be gone there, too."}
        </Text>
        {removed.isError && <Failed error={removed.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Keep
          </Button>
          <Button color="red" loading={removed.isPending} onClick={() => removed.mutate()}>
            Remove
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
