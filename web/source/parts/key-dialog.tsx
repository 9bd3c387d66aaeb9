import { Button, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { setKey, useKeyWanted } from "../api/key";

/** Asks for a key when the server wants one. */
export function KeyDialog() {
  const wanted = useKeyWanted();
  const queries = useQueryClient();
  const [typed, setTyped] = useState("");

  function enter(event: FormEvent) {
    event.preventDefault();
    setKey(typed.trim());
    setTyped("");
    void queries.resetQueries();
  }

  return (
    <Modal opened={wanted} onClose={() => undefined} withCloseButton={false} title="This server wants a key" centered>
      <form onSubmit={enter}>
        <Stack>
          <Text size="sm">Paste a key of this server, or the admin key that it was started with. It is kept until you close this tab.</Text>
          <PasswordInput
            label="Key"
            autoComplete="off"
            data-autofocus
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Button type="submit" disabled={typed.trim() === ""}>
            Go on
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
