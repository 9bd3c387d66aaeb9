/** One message of a conversation. */
import { Anchor, Box, Button, Code, Group, Paper, Spoiler, Text, Textarea } from "@mantine/core";
import { memo, useState, type ReactNode } from "react";
import { Copy } from "../parts/copy";
import { Rendered } from "../parts/markdown";
import { textOf, type SavedMessage } from "./chats";
import classes from "./chat.module.css";
import { figures } from "./figures";
import { shownPart } from "./pictures";

const WHO: Record<string, string> = { user: "You", system: "System prompt", tool: "Tool" };

interface Props {
  message: SavedMessage;
  edit?: (message: SavedMessage, text: string) => Promise<boolean>; // only of what can be said otherwise
  children?: ReactNode;
}

export const Message = memo(function Message({ message, edit, children }: Props) {
  const [editing, setEditing] = useState(false);
  const answer = message.role === "assistant";
  const text = textOf(message, "text");
  return (
    <Words
      who={answer ? (message.model ?? "Assistant") : (WHO[message.role] ?? message.role)}
      mine={!answer}
      text={editing ? "" : text}
      reasoning={textOf(message, "reasoning")}
      parts={message.parts}
    >
      {editing && edit ? (
        <Edit text={text} close={() => setEditing(false)} send={(said) => edit(message, said)} />
      ) : (
        <Group gap="xs" className={classes.below}>
          {answer && (
            <Text size="xs" c="dimmed">
              {figures(message)}
            </Text>
          )}
          {answer && text !== "" && <Copy text={text} label="Copy this answer" />}
          {edit && (
            <Button size="compact-xs" variant="default" aria-label="Edit this message" onClick={() => setEditing(true)}>
              Edit
            </Button>
          )}
          {children}
        </Group>
      )}
    </Words>
  );
});

interface EditProps {
  text: string;
  send: (text: string) => Promise<boolean>;
  close: () => void;
}

function Edit({ text, send, close }: EditProps) {
  const [typed, setTyped] = useState(text);
  const [sending, setSending] = useState(false);

  async function submit() {
    setSending(true);
    if (await send(typed.trim())) close();
    setSending(false);
  }

  return (
    <>
      <Textarea
        aria-label="Edited message"
        autosize
        autoFocus
        maxRows={16}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") close();
        }}
      />
      <Group gap="xs" mt="xs">
        <Button size="xs" loading={sending} disabled={typed.trim() === ""} onClick={() => void submit()}>
          Send in a branch
        </Button>
        <Button size="xs" variant="default" onClick={close}>
          Cancel
        </Button>
      </Group>
    </>
  );
}

interface WordsProps {
  who: string;
  mine: boolean;
  text: string;
  reasoning: string;
  parts?: SavedMessage["parts"];
  thinking?: boolean;
  children?: ReactNode;
}

/** What somebody says: people's words as they typed them, a model's as Markdown with its thoughts folded. */
export function Words({ who, mine, text, reasoning, parts = [], thinking = false, children }: WordsProps) {
  return (
    <Paper component="article" aria-label={who} p="sm" withBorder={mine} className={mine ? classes.mine : undefined}>
      <Text size="xs" fw={600} c="dimmed" mb={4} className={classes.anywhere}>
        {who}
      </Text>
      {reasoning && (
        <Box component="details" mb="xs" className={classes.thoughts}>
          <summary>{thinking ? "Thinking…" : "Thoughts"}</summary>
          <Text size="sm" className={classes.said}>
            {reasoning}
          </Text>
        </Box>
      )}
      <Pictures parts={parts} />
      {text && mine && (
        <Spoiler maxHeight={480} showLabel="Show all" hideLabel="Show less">
          <Text className={classes.said}>{text}</Text>
        </Spoiler>
      )}
      {text && !mine && <Rendered text={text} />}
      {parts.map((part, index) => {
        if (part.kind === "tool_call") {
          return <Called key={index} name={part.call?.name ?? ""} words={part.call?.arguments ?? ""} />;
        }
        return part.kind === "tool_result" ? <Result key={index} text={part.text ?? ""} /> : null;
      })}
      {children}
    </Paper>
  );
}

function Pictures({ parts }: { parts: SavedMessage["parts"] }) {
  const pictures = parts.filter((part) => part.kind === "image");
  if (pictures.length === 0) return null;
  return (
    <Group gap="xs" mb="xs">
      {pictures.map((part, index) => {
        const shown = shownPart(part);
        if (shown !== null) {
          const name = `Picture ${index + 1} of ${pictures.length}`;
          return <img key={index} src={shown} alt={name} className={classes.picture} />;
        }
        return <Elsewhere key={index} address={part.media_type === "text/uri-list" ? (part.data ?? "") : ""} />;
      })}
    </Group>
  );
}

/** A picture that lies elsewhere is not fetched by looking at a chat. */
function Elsewhere({ address }: { address: string }) {
  const safe = /^https?:\/\//i.test(address);
  return (
    <Text size="sm" className={classes.anywhere}>
      A picture{" "}
      {safe ? (
        <Anchor href={address} target="_blank" rel="noopener noreferrer nofollow">
          {address}
        </Anchor>
      ) : (
        address.slice(0, 200) || "of a kind that is not shown"
      )}
    </Text>
  );
}

/** A tool that the model calls, with its arguments as it wrote them. */
export function Called({ name, words }: { name: string; words: string }) {
  return (
    <Box component="details" open mb="xs" className={classes.thoughts}>
      <summary>
        Calls <Code className={classes.anywhere}>{name}</Code>
      </summary>
      <Code block tabIndex={0} className={classes.tool}>
        {pretty(words)}
      </Code>
    </Box>
  );
}

function Result({ text }: { text: string }) {
  return (
    <Spoiler maxHeight={320} showLabel="Show all" hideLabel="Show less">
      <Code block tabIndex={0} className={classes.tool}>
        {text}
      </Code>
    </Spoiler>
  );
}

function pretty(words: string): string {
  try {
    return JSON.stringify(JSON.parse(words), null, 2);
  } catch {
    return words; // as far as it has come, or as wrong as it is
  }
}
