import { Button, Group, Textarea } from "@mantine/core";
import { useState, type FormEvent, type KeyboardEvent } from "react";

interface Props {
  running: boolean;
  disabled: boolean;
  send: (text: string) => Promise<boolean>;
  stop: () => void;
}

/** Where one writes. Enter sends, Shift+Enter begins a line; what could not be sent stays. */
export function Composer({ running, disabled, send, stop }: Props) {
  const [text, setText] = useState("");

  async function submit(event?: FormEvent) {
    event?.preventDefault();
    const said = text.trim();
    if (said === "" || running || disabled) return;
    setText("");
    if (!(await send(said))) setText(said);
  }

  function press(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void submit();
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Group align="flex-end" gap="xs" wrap="nowrap">
        <Textarea
          flex={1}
          aria-label="Message"
          placeholder="Write a message"
          autosize
          minRows={1}
          maxRows={10}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={press}
        />
        {running ? (
          <Button variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Button type="submit" disabled={disabled || text.trim() === ""}>
            Send
          </Button>
        )}
      </Group>
    </form>
  );
}
