import { Button, Group, Stack, Title } from "@mantine/core";
import { Link, Redirect, useParams } from "wouter";
import { AboutPart } from "./about";
import { Health } from "./health";
import { Keys } from "./keys";
import { Options } from "./options";
import { Users } from "./users";

const PARTS = [
  { part: "", name: "Options", show: Options },
  { part: "users", name: "Users", show: Users },
  { part: "keys", name: "API keys", show: Keys },
  { part: "health", name: "Health", show: Health },
  { part: "about", name: "About", show: AboutPart },
];

/** Settings: options, who may come in, how this server is, what it is. Each part has an address of its own. */
export function SettingsPage() {
  const { part = "" } = useParams<{ part?: string }>();
  const here = PARTS.find((one) => one.part === part);
  if (here === undefined) return <Redirect to="/settings" replace />;
  const Part = here.show;
  return (
    <Stack gap="xl" maw="70rem" mx="auto">
      <Title order={1}>Settings</Title>
      <Group component="nav" gap="xs" aria-label="Parts of the settings">
        {PARTS.map((one) => (
          <Button
            key={one.part}
            component={Link}
            href={one.part === "" ? "/settings" : `/settings/${one.part}`}
            size="xs"
            variant={one === here ? "filled" : "default"}
            aria-current={one === here ? "page" : undefined}
          >
            {one.name}
          </Button>
        ))}
      </Group>
      <Part />
    </Stack>
  );
}
