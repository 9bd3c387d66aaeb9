/** The conversations that are kept: found, renamed, deleted. */
import { ActionIcon, Button, Group, Menu, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState, type FormEvent } from "react";
import { Link, useLocation } from "wouter";
import type { Schemas } from "../api/client";
import { Empty, Failed, Loaded } from "../parts/states";
import { Windowed } from "../parts/windowed";
import classes from "./chat.module.css";
import { remove, rename, useHistory } from "./chats";

type Summary = Schemas["ChatSummary"];
const ROW = 36; // pixels

export function History({ here, onPick }: { here: string | undefined; onPick?: () => void }) {
  const [words, setWords] = useState("");
  const [searched] = useDebouncedValue(words.trim(), 250);
  const history = useHistory(searched);
  const { hasNextPage, isFetching, fetchNextPage } = history;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  const [renaming, setRenaming] = useState<Summary | null>(null);
  const [deleting, setDeleting] = useState<Summary | null>(null);
  return (
    <>
      <Button component={Link} href="/chat" variant="default" onClick={onPick}>
        New chat
      </Button>
      <TextInput
        aria-label="Search chats"
        placeholder="Search chats"
        maxLength={500}
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
      />
      <Loaded query={history}>
        {({ pages }) => {
          const chats = pages.flatMap((page) => page.chats);
          if (chats.length === 0) return <Empty>{searched ? "No chat has these words." : "No chats yet."}</Empty>;
          return (
            <Windowed
              name="Chats"
              items={chats}
              row={ROW}
              total={history.hasNextPage ? -1 : chats.length}
              keyOf={(chat) => chat.id}
              nearEnd={more}
              draw={(chat) => (
                <Row
                  chat={chat}
                  here={chat.id === here}
                  onPick={onPick}
                  rename={() => setRenaming(chat)}
                  remove={() => setDeleting(chat)}
                />
              )}
            />
          );
        }}
      </Loaded>
      {renaming && <Rename chat={renaming} close={() => setRenaming(null)} />}
      {deleting && <Delete chat={deleting} here={here} close={() => setDeleting(null)} />}
    </>
  );
}

interface RowProps {
  chat: Summary;
  here: boolean;
  onPick?: () => void;
  rename: () => void;
  remove: () => void;
}

function Row({ chat, here, onPick, rename, remove }: RowProps) {
  return (
    <div className={classes.row} data-here={here || undefined}>
      <Link href={`/chat/${chat.id}`} onClick={onPick} title={title(chat)} aria-current={here ? "page" : undefined}>
        {chat.branched_from && (
          <span role="img" aria-label="Branch:">
            ↳{" "}
          </span>
        )}
        {title(chat)}
      </Link>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More about ${title(chat)}`}>
            ⋯
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={rename}>Rename</Menu.Item>
          <Menu.Item onClick={remove}>Delete</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

function title(chat: Summary): string {
  return chat.title || "Untitled";
}

function Rename({ chat, close }: { chat: Summary; close: () => void }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useState(chat.title);
  const renamed = useMutation({
    mutationFn: () => rename(chat.id, typed.trim()),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["chats"] });
      close();
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    renamed.mutate();
  }

  return (
    <Modal opened onClose={close} title="Rename this chat" closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit}>
        <Stack>
          <TextInput
            label="Title"
            data-autofocus
            maxLength={200}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          {renamed.isError && <Failed error={renamed.error} />}
          <Button type="submit" loading={renamed.isPending} disabled={typed.trim() === ""}>
            Rename
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

function Delete({ chat, here, close }: { chat: Summary; here: string | undefined; close: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const deleted = useMutation({
    mutationFn: () => remove(chat.id),
    onSuccess: async () => {
      if (chat.id === here) go("/chat");
      queries.removeQueries({ queryKey: ["chat", chat.id] });
      await queries.invalidateQueries({ queryKey: ["chats"] });
      close();
    },
  });
  return (
    <Modal opened onClose={close} title="Delete this chat?" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Text className={classes.anywhere}>“{title(chat)}” is deleted for good.</Text>
        {deleted.isError && <Failed error={deleted.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Keep
          </Button>
          <Button color="red" loading={deleted.isPending} onClick={() => deleted.mutate()}>
            Delete
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
