import { Button, Group, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told } from "../api/client";
import { fieldOf, wrongAt } from "../api/failure";
import { Failed } from "../parts/states";
import { PROVIDERS, type Provider } from "./providers";

/** A new key for a provider, or none. The one that it has cannot be read. */
export function ChangeKey({ provider, close }: { provider: Provider; close: () => void }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useState("");
  const params = { path: { name: provider.name } };
  const changed = useMutation({
    mutationFn: (key: string | null) =>
      key === null
        ? told(api.DELETE("/admin/providers/{name}/key", { params }))
        : told(api.PUT("/admin/providers/{name}/key", { params, body: { key } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: PROVIDERS });
      close();
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    changed.mutate(typed.trim());
  }

  return (
    <Modal opened onClose={close} title={`The key of ${provider.name}`} closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">
            {provider.has_key ? "It has one. A new one takes its place at once." : "It has none yet."} Keys are kept in the vault and never
            shown again.
          </Text>
          <PasswordInput
            label="New key"
            autoComplete="off"
            data-autofocus
            maxLength={8192}
            value={typed}
            error={wrongAt(changed.error, "key")}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          {changed.isError && fieldOf(changed.error) !== "key" && <Failed error={changed.error} />}
          <Group justify="space-between">
            {provider.has_key ? (
              <Button variant="default" onClick={() => changed.mutate(null)}>
                Forget the key
              </Button>
            ) : (
              <span />
            )}
            <Group gap="xs">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" disabled={typed.trim() === ""} loading={changed.isPending}>
                Keep
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
