import { Alert, Button, CloseButton, FileButton, Group, Textarea } from "@mantine/core";
import { useState, type ClipboardEvent, type FormEvent, type KeyboardEvent } from "react";
import classes from "./chat.module.css";
import type { Attached } from "./attached";
import { addressOf, filesOf, type Picture } from "./pictures";

interface Props {
  running: boolean;
  disabled: boolean;
  attached: Attached;
  blind: string | null; // why pictures cannot be sent now
  send: (text: string, pictures: Picture[]) => Promise<boolean>;
  stop: () => void;
}

/** Where one writes. Enter sends, Shift+Enter begins a line; what could not be sent stays. */
export function Composer({ running, disabled, attached, blind, send, stop }: Props) {
  const [text, setText] = useState("");
  const { pictures, refusal } = attached;
  const unseen = pictures.length > 0 && blind !== null;
  const empty = (text.trim() === "" && pictures.length === 0) || unseen;

  async function submit(event?: FormEvent) {
    event?.preventDefault();
    const said = text.trim();
    if (empty || running || disabled) return;
    setText("");
    attached.set([]);
    if (await send(said, pictures)) return;
    setText(said);
    attached.set(pictures);
  }

  function press(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void submit();
    }
  }

  function paste(event: ClipboardEvent) {
    const files = filesOf(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    void attached.add(files);
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      {(refusal ?? (unseen ? blind : null)) && (
        <Alert color="orange" role="alert" mb="xs" className={classes.anywhere}>
          {refusal ?? blind}
        </Alert>
      )}
      {pictures.length > 0 && (
        <Group gap="xs" mb="xs" role="group" aria-label="Pictures to send">
          {pictures.map((picture, index) => (
            <div key={index} className={classes.attached}>
              <img src={addressOf(picture)} alt={picture.name} title={picture.name} />
              <CloseButton
                size="sm"
                variant="default"
                aria-label={`Take out ${picture.name}`}
                onClick={() => attached.set(pictures.filter((other) => other !== picture))}
              />
            </div>
          ))}
        </Group>
      )}
      <Group align="flex-end" gap="xs" wrap="nowrap">
        <FileButton
          multiple
          accept="image/png,image/jpeg,image/webp,image/gif"
          onChange={(files) => void attached.add(files)}
          inputProps={{ "aria-label": "Picture files" }}
        >
          {(props) => (
            <Button {...props} variant="default" px="sm" aria-label="Add pictures" title="Add pictures">
              +
            </Button>
          )}
        </FileButton>
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
          onPaste={paste}
        />
        {running ? (
          <Button variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Button type="submit" disabled={disabled || empty}>
            Send
          </Button>
        )}
      </Group>
    </form>
  );
}
