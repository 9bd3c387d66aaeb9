/** One message of a conversation. */
import { Box, Group, Paper, Spoiler, Text } from "@mantine/core";
import { Copy } from "../parts/copy";
import { Rendered } from "../parts/markdown";
import { seconds } from "../parts/numbers";
import { textOf, type SavedMessage } from "./chats";
import classes from "./chat.module.css";

const WHO: Record<string, string> = { user: "You", system: "System prompt", tool: "Tool" };

export function Message({ message }: { message: SavedMessage }) {
  const answer = message.role === "assistant";
  const text = textOf(message, "text");
  return (
    <Words
      who={answer ? (message.model ?? "Assistant") : (WHO[message.role] ?? message.role)}
      mine={!answer}
      text={text}
      reasoning={textOf(message, "reasoning")}
    >
      {answer && (
        <Group gap="xs">
          <Text size="xs" c="dimmed">
            {figures(message)}
          </Text>
          <Copy text={text} label="Copy this answer" />
        </Group>
      )}
    </Words>
  );
}

interface WordsProps {
  who: string;
  mine: boolean;
  text: string;
  reasoning: string;
  thinking?: boolean;
  children?: React.ReactNode;
}

/** What somebody says: people's words as they typed them, a model's as Markdown with its thoughts folded. */
export function Words({ who, mine, text, reasoning, thinking = false, children }: WordsProps) {
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
      {mine ? (
        <Spoiler maxHeight={480} showLabel="Show all" hideLabel="Show less">
          <Text className={classes.said}>{text}</Text>
        </Spoiler>
      ) : (
        <Rendered text={text} />
      )}
      {children}
    </Paper>
  );
}

/** How an answer ended, how fast it came. */
export function figures(message: Pick<SavedMessage, "timing" | "usage" | "finish_reason">): string {
  const { timing, usage, finish_reason: end } = message;
  const told: string[] = [];
  const first = timing?.first_token_seconds;
  if (usage && timing) {
    const tokens = usage.completion_tokens ?? 0;
    const spent = timing.seconds - (first ?? 0);
    told.push(`${tokens} tokens`);
    if (spent > 0 && tokens > 1) {
      told.push(`${((tokens - 1) / spent).toFixed(1)} tokens/s`);
    }
  }
  if (first !== null && first !== undefined) told.push(`first token after ${seconds(first)}`);
  if (end === "cancelled") told.push("stopped");
  if (end === "length") told.push("cut at the limit of tokens");
  if (end === "error") told.push("broke off");
  return told.join(" · ");
}
