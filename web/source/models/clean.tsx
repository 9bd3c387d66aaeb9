/** What a clean-up would remove, looked at before anything is. */
import { Alert, Button, Group, List, Modal, NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { bytes } from "../parts/numbers";
import { Failed } from "../parts/states";
import { DISK } from "./library";

type Plan = Schemas["PrunePlan"];
const GB = 1e9;

export function CleanDialog({ close }: { close: () => void }) {
  const queries = useQueryClient();
  const [days, setDays] = useState<number | string>(90);
  const [limit, setLimit] = useState<number | string>("");
  const plan = useMutation({
    mutationFn: () => {
      const older_than_days = typeof days === "number" ? days : null;
      const max_bytes = typeof limit === "number" ? Math.round(limit * GB) : null;
      return told(api.POST("/admin/library/prune/plan", { body: { older_than_days, max_bytes } }));
    },
  });
  const pruned = useMutation({
    mutationFn: ({ removals, leftovers }: Plan) =>
      told(
        api.POST("/admin/library/prune", {
          body: { models: removals.map((one) => one.name), leftovers: leftovers.map((one) => one.path) },
        }),
      ),
    onSuccess: () => Promise.all(DISK.map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });

  function look(event: FormEvent) {
    event.preventDefault();
    pruned.reset();
    plan.mutate();
  }

  return (
    <Modal opened onClose={close} size="lg" title="Clean up the disk" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <form onSubmit={look}>
          <Stack gap="xs">
            <SimpleGrid cols={{ base: 1, xs: 2 }}>
              <NumberInput label="Not used for so many days" min={0} max={100000} value={days} onChange={setDays} />
              <NumberInput label="Until all take so many GB" min={0} step={10} value={limit} onChange={setLimit} />
            </SimpleGrid>
            <Group>
              <Button type="submit" variant="default" loading={plan.isPending}>
                Show what would go
              </Button>
            </Group>
          </Stack>
        </form>
        {plan.isError && <Failed error={plan.error} />}
        {plan.data && !pruned.isSuccess && <Preview plan={plan.data} />}
        {pruned.isError && <Failed error={pruned.error} />}
        {pruned.data && (
          <Alert color="gray" role="status" title={`${bytes(pruned.data.freed_bytes)} came free.`}>
            {(pruned.data.failures ?? []).join(" ")}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Close
          </Button>
          {plan.data && !pruned.isSuccess && freed(plan.data) > 0 && (
            <Button color="red" loading={pruned.isPending} onClick={() => pruned.mutate(plan.data)}>
              Remove, free {bytes(freed(plan.data))}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function freed({ removals, leftovers }: Plan): number {
  const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0);
  return sum(removals.map((one) => one.freed_bytes)) + sum(leftovers.map((one) => one.size));
}

function Preview({ plan }: { plan: Plan }) {
  const lines = [
    ...plan.removals.map((one) => [one.name, `${one.name}: ${one.reason}, frees ${bytes(one.freed_bytes)}`] as const),
    ...plan.leftovers.map((one) => [one.path, `${one.path}: left over, ${bytes(one.size)}`] as const),
  ];
  return (
    <Stack gap="xs" style={{ overflowWrap: "anywhere" }}>
      <Text size="sm" fw={600} role="status">
        {lines.length === 0 ? "Nothing would go." : `${lines.length} would go:`}
      </Text>
      <List size="sm">
        {lines.map(([key, line]) => (
          <List.Item key={key}>{line}</List.Item>
        ))}
      </List>
      {plan.kept.length > 0 && (
        <>
          <Text size="sm">Old enough, but they stay:</Text>
          <List size="sm">
            {plan.kept.map((one) => (
              <List.Item key={one.name}>
                {one.name}: {one.reason}
              </List.Item>
            ))}
          </List>
        </>
      )}
      {(plan.missing_bytes ?? 0) > 0 && (
        <Text size="sm">It would stay {bytes(plan.missing_bytes ?? 0)} above that: the rest may not go.</Text>
      )}
    </Stack>
  );
}
