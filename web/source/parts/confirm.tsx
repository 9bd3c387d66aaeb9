import { Button, Group, Modal, Stack } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Failed } from "./states";

interface Props {
  title: string;
  children: ReactNode;
  remove: () => Promise<unknown>;
  close: () => void;
}

/** Asks before something is gone, and says so when it could not be removed. */
export function ConfirmRemoval({ title, children, remove, close }: Props) {
  const removed = useMutation({ mutationFn: remove, onSuccess: close });
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ "aria-label": "Close" }}>
      <Stack style={{ overflowWrap: "anywhere" }}>
        {children}
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
