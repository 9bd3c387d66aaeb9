import { Drawer, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useParams } from "wouter";
import classes from "./chat.module.css";
import { Conversation } from "./conversation";
import { History } from "./history";

/** Chat: the history beside, or on small screens behind a button, and one conversation. */
export function ChatPage() {
  const { id } = useParams<{ id?: string }>();
  const [opened, { open, close }] = useDisclosure();
  return (
    <div className={classes.page}>
      <aside className={classes.history} aria-label="History">
        <History here={id} />
      </aside>
      <Conversation id={id} showHistory={open} />
      <Drawer
        opened={opened}
        onClose={close}
        title={<Text fw={600}>Chats</Text>}
        closeButtonProps={{ "aria-label": "Close" }}
        size="xs"
      >
        <div className={`${classes.history} ${classes.drawer}`}>
          <History here={id} onPick={close} />
        </div>
      </Drawer>
    </div>
  );
}
