/** One setting: value, source, and, once it is being changed, a field. */
import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { Failed } from "../parts/states";
import classes from "./setting.module.css";

export function Setting({ line }: { line: Schemas["SettingLine"] }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useState<string | null>(null);
  const params = { path: { key: line.key } };
  const change = useMutation({
    mutationFn: (value: string | null) =>
      value === null
        ? told(api.DELETE("/admin/config/{key}", { params }))
        : told(api.PUT("/admin/config/{key}", { params, body: { value } })),
    onSuccess: async () => {
      setTyped(null);
      await queries.invalidateQueries({ queryKey: ["settings"] });
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    change.mutate(typed);
  }

  return (
    <Stack gap="xs" className={classes.row}>
      <Group justify="space-between" gap="xs">
        <Stack gap={2} flex="1 1 14rem" miw={0} className={classes.words}>
          <Text size="sm" fw={600}>
            {line.key}
          </Text>
          <Text size="xs" c="dimmed">
            {line.source}
          </Text>
        </Stack>
        {typed === null ? (
          <Group gap="xs" className={classes.words}>
            <Text size="sm" ff="monospace">
              {written(line.value) || "–"}
            </Text>
            {isOption(line.key) && (
              <Button
                size="compact-sm"
                variant="default"
                aria-label={`Change ${line.key}`}
                onClick={() => setTyped(written(line.value))}
              >
                Change
              </Button>
            )}
          </Group>
        ) : (
          <form onSubmit={submit}>
            <Group gap="xs">
              <TextInput
                size="xs"
                aria-label={line.key}
                autoFocus
                maxLength={4096}
                value={typed}
                onChange={(event) => setTyped(event.currentTarget.value)}
              />
              <Button size="xs" type="submit" loading={change.isPending}>
                Save
              </Button>
              <Button size="xs" variant="default" onClick={() => change.mutate(null)}>
                Default
              </Button>
              <Button
                size="xs"
                variant="subtle"
                onClick={() => {
                  setTyped(null);
                  change.reset();
                }}
              >
                Cancel
              </Button>
            </Group>
          </form>
        )}
      </Group>
      {change.isError && <Failed error={change.error} />}
      {change.isSuccess && (
        <Text size="sm" role="status">
          {change.data.note}
        </Text>
      )}
    </Stack>
  );
}

/** Folders are told at the end of the list and cannot be changed here. */
function isOption(key: string): boolean {
  return !key.startsWith("paths.");
}

function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
