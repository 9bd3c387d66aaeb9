/** One conversation: what was said, what is being said, and where to say more. */
import { Button, Collapse, Group, NativeSelect, Stack, Title, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { useModels } from "../models/library";
import { Empty, Failed, Loaded } from "../parts/states";
import { useAnswering } from "./answering";
import classes from "./chat.module.css";
import { append, branch, createChat, turns, useChat, type NewMessage } from "./chats";
import { Composer } from "./composer";
import { Message, Words } from "./message";
import { OptionFields, useOptions } from "./options";

export function Conversation({ id, showHistory }: { id: string | undefined; showHistory: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const chat = useChat(id);
  const models = useModels();
  const [options, setOptions] = useOptions();
  const [folded, { toggle }] = useDisclosure(true);
  const { draft, error, setError, answer, stop } = useAnswering();
  const [chosen, choose] = useState<{ chat: string | undefined; model: string } | null>(null);

  const able = (models.data ?? []).filter((model) => model.capabilities.text).map((model) => model.name);
  const messages = chat.data?.messages ?? [];
  const usual = chat.data?.model ?? (able.includes("pony") ? "pony" : able[0]) ?? "";
  const model = chosen !== null && chosen.chat === id ? chosen.model : usual;
  const writing = draft !== null && draft.chat === id ? draft : null;
  const end = useScrolledToEnd(id, messages.length, writing);
  const last = messages.at(-1);

  async function send(text: string): Promise<boolean> {
    try {
      const said: NewMessage[] = [{ role: "user", parts: [{ kind: "text", text }] }];
      const system = options.system.trim();
      if (id === undefined && system !== "") said.unshift({ role: "system", parts: [{ kind: "text", text: system }] });
      const chatId = id ?? (await createChat(model)).id;
      const { messages: saved } = await append(chatId, said);
      await queries.invalidateQueries({ queryKey: ["chat", chatId] });
      void queries.invalidateQueries({ queryKey: ["chats"] });
      if (id === undefined) {
        choose(chosen && { ...chosen, chat: chatId });
        go(`/chat/${chatId}`);
      }
      const { temperature, top_p, max_tokens } = options;
      const sampling = { temperature, top_p, max_tokens };
      void answer({ chat: chatId, model, turns: turns([...messages, ...saved]), sampling });
      return true;
    } catch (failure) {
      setError({ chat: id ?? "", error: failure });
      return false;
    }
  }

  /** Another answer to the last question, in a branch: the first one is kept where it was. */
  async function regenerate(): Promise<void> {
    const asked = messages.findLast((message) => message.role === "user");
    if (id === undefined || asked === undefined) return;
    try {
      const branched = last?.role === "assistant" ? await branch(id, asked.position) : chat.data!;
      if (branched.id !== id) go(`/chat/${branched.id}`);
      void queries.invalidateQueries({ queryKey: ["chats"] });
      choose({ chat: branched.id, model });
      const { temperature, top_p, max_tokens } = options;
      await answer({ chat: branched.id, model, turns: turns(branched.messages), sampling: { temperature, top_p, max_tokens } });
    } catch (failure) {
      setError({ chat: id, error: failure });
    }
  }

  return (
    <section className={classes.conversation} aria-label="Conversation">
      <VisuallyHidden>
        <Title order={1}>Chat</Title>
      </VisuallyHidden>
      <Group gap="xs" mb="xs">
        <Button variant="default" size="xs" hiddenFrom="md" onClick={showHistory}>
          Chats
        </Button>
        <NativeSelect
          aria-label="Model"
          size="xs"
          maw="14rem"
          data={able.includes(model) || model === "" ? able : [model, ...able]}
          value={model}
          onChange={(event) => choose({ chat: id, model: event.currentTarget.value })}
        />
        <Button variant="default" size="xs" onClick={toggle} aria-expanded={!folded}>
          Options
        </Button>
      </Group>
      <Collapse expanded={!folded} mb="sm">
        <OptionFields options={options} change={setOptions} begun={id !== undefined} />
      </Collapse>
      <div className={classes.messages} ref={end} tabIndex={0} role="log" aria-label="Messages" aria-busy={writing !== null}>
        {id === undefined ? (
          <Empty>Ask something. What is said is kept on this machine.</Empty>
        ) : (
          <Loaded query={chat}>
            {() => (
              <Stack gap="xs">
                {messages.map((message) => (
                  <Message key={message.position} message={message} />
                ))}
                {writing && <Words who={model} mine={false} thinking={writing.text === ""} {...writing} />}
              </Stack>
            )}
          </Loaded>
        )}
        {error && error.chat === (id ?? "") && <Failed error={error.error} />}
        {models.isError && <Failed error={models.error} retry={() => void models.refetch()} />}
        {!draft && last && (last.role === "assistant" || last.role === "user") && (
          <Button variant="subtle" size="compact-sm" mt="xs" onClick={() => void regenerate()}>
            {last.role === "assistant" ? "Answer again" : "Answer"}
          </Button>
        )}
      </div>
      <Composer running={draft !== null} disabled={model === "" || (id !== undefined && !chat.data)} send={send} stop={stop} />
    </section>
  );
}

/** Keeps the latest words in sight, unless the person has scrolled up to read. */
function useScrolledToEnd(chat: string | undefined, length: number, writing: unknown) {
  const box = useRef<HTMLDivElement>(null);
  const shown = useRef({ chat, length });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const isNew = shown.current.chat !== chat || shown.current.length !== length;
    shown.current = { chat, length };
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < 160;
    if (isNew || near) element.scrollTop = element.scrollHeight;
  }, [chat, length, writing]);
  return box;
}
