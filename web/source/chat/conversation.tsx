/** One conversation: what was said, what is being said, and where to say more. */
import { Button, Collapse, Group, Menu, NativeSelect, Stack, Title, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useEffect, useRef, useState, type DragEvent } from "react";
import { useModels, type Model } from "../models/library";
import { asFailure } from "../api/failure";
import { Empty, Failed, Loaded } from "../parts/states";
import { useAttached } from "./attached";
import { versions } from "./branches";
import classes from "./chat.module.css";
import { systemPrompt, useBranches, useChat } from "./chats";
import { Composer } from "./composer";
import { fileName, jsonOf, markdownOf, save } from "./export";
import { Fork } from "./fork";
import { Called, Message, Words } from "./message";
import { OptionFields } from "./options";
import { filesOf } from "./pictures";
import { useTalk } from "./talk";

const SHOWN = 100; // messages; earlier ones on request

export function Conversation({ id, showHistory }: { id: string | undefined; showHistory: () => void }) {
  const chat = useChat(id);
  const models = useModels();
  const family = useBranches(id, chat.data?.length);
  const [folded, { toggle }] = useDisclosure(true);
  const talk = useTalk(id, chat.data, models.data ?? []);
  const attached = useAttached();
  const { model, draft, error } = talk;

  const messages = chat.data?.messages ?? [];
  const able = talk.able.map((one) => one.name);
  const sees = models.data?.find((one) => one.name === model)?.capabilities.vision ?? true; // who is elsewhere may
  const writing = draft !== null && draft.chat === id ? draft : null;
  const end = useScrolledToEnd(id, messages.length, writing);
  const [earlier, setEarlier] = useState(0);
  useEffect(() => setEarlier(0), [id]);
  const hidden = Math.max(0, messages.length - SHOWN - earlier);
  const last = messages.at(-1);

  function drop(event: DragEvent) {
    const files = filesOf(event.dataTransfer);
    if (files.length === 0) return;
    event.preventDefault();
    void attached.add(files);
  }

  return (
    <section
      className={classes.conversation}
      aria-label="Conversation"
      onDragOver={(event) => event.preventDefault()}
      onDrop={drop}
    >
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
          onChange={(event) => talk.choose(event.currentTarget.value)}
        />
        <Button variant="default" size="xs" onClick={toggle} aria-expanded={!folded}>
          Options
        </Button>
        {chat.data && (
          <Menu position="bottom-start">
            <Menu.Target>
              <Button variant="default" size="xs">
                Export
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                onClick={() => save(fileName(chat.data!.title, "md"), "text/markdown", markdownOf(chat.data!))}
              >
                As Markdown
              </Menu.Item>
              <Menu.Item onClick={() => save(fileName(chat.data!.title, "json"), "application/json", jsonOf(chat.data!))}>
                As JSON
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
      <Collapse expanded={!folded} mb="sm">
        <OptionFields
          key={`${id ?? ""} ${systemPrompt(messages)}`}
          sampling={talk.sampling}
          change={talk.setSampling}
          system={id === undefined ? talk.firstSystem : systemPrompt(messages)}
          say={(system) => void talk.saySystem(system)}
          begun={id !== undefined}
        />
      </Collapse>
      <div className={classes.messages} ref={end} tabIndex={0} role="log" aria-label="Messages" aria-busy={writing !== null}>
        {id === undefined ? (
          <Empty>Ask something. What is said is kept on this machine.</Empty>
        ) : (
          <Loaded query={chat}>
            {() => (
              <Stack gap="xs">
                {hidden > 0 && (
                  <Button variant="subtle" size="compact-sm" onClick={() => setEarlier(earlier + SHOWN)}>
                    {hidden} earlier messages
                  </Button>
                )}
                {messages.slice(hidden).map((message) => {
                  const found = versions(family.data ?? [], id, message.position);
                  return (
                    <Message
                      key={message.position}
                      message={message}
                      edit={message.role === "user" && draft === null ? talk.edit : undefined}
                    >
                      {found && <Fork versions={found} />}
                    </Message>
                  );
                })}
                {writing && (
                  <Words who={model} mine={false} thinking={writing.text === ""} {...writing}>
                    {writing.calls.map((call, index) => (
                      <Called key={index} name={call.name} words={call.arguments} />
                    ))}
                  </Words>
                )}
              </Stack>
            )}
          </Loaded>
        )}
        {chat.data && chat.isError && asFailure(chat.error).status === 404 && <Failed error={chat.error} />}
        {error && error.chat === (id ?? "") && <Failed error={error.error} />}
        {models.isError && <Failed error={models.error} retry={() => void models.refetch()} />}
        {!draft && last && (last.role === "assistant" || last.role === "user") && (
          <Button variant="subtle" size="compact-sm" mt="xs" onClick={() => void talk.regenerate()}>
            {last.role === "assistant" ? "Answer again" : "Answer"}
          </Button>
        )}
      </div>
      <Composer
        running={draft !== null}
        disabled={model === "" || (id !== undefined && !chat.data)}
        attached={attached}
        blind={sees ? null : `${model} cannot see pictures. ${seeing(talk.able)}`}
        send={talk.send}
        stop={talk.stop}
      />
    </section>
  );
}

function seeing(models: Model[]): string {
  const names = models.filter((model) => model.capabilities.vision).map((model) => model.name);
  return names.length > 0 ? `Choose one that can: ${names.slice(0, 5).join(", ")}.` : "No model here can; find one among the models.";
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
