/** One rule of the list: what fits it, where it leads, whether it holds. */
import { ActionIcon, Badge, Button, Code, Group, Paper, Stack, Switch, Text } from "@mantine/core";
import type { ComponentProps } from "react";
import { Link } from "wouter";
import classes from "./rules.module.css";
import { ledTo, matchWords, type Rule } from "./rules";

interface Props {
  rule: Rule;
  place: { index: number; count: number } | null; // null while only some are shown, which cannot be ordered
  mark: "lifted" | "before" | "after" | null;
  handle: ComponentProps<"button">;
  move: (to: number) => void;
  turn: (enabled: boolean) => void;
  remove: () => void;
}

export function RuleRow({ rule, place, mark, handle, move, turn, remove }: Props) {
  const { name, enabled = true, description = "", priority = 0 } = rule;
  return (
    <Paper
      component="li"
      withBorder
      p="sm"
      aria-label={name}
      data-row
      className={[classes.row, mark && classes[mark]].filter(Boolean).join(" ")}
    >
      <Group gap="sm" align="flex-start" wrap="nowrap">
        {place && (
          <ActionIcon
            component="button"
            variant="default"
            size="lg"
            className={classes.handle}
            aria-label={`Move ${name}: drag, or use the arrow keys`}
            {...handle}
          >
            ⠿
          </ActionIcon>
        )}
        <Stack gap="xs" flex={1} miw={0}>
          <Group gap="xs" justify="space-between" align="flex-start">
            <Stack gap={2} flex="1 1 16rem" miw={0}>
              <Group gap="xs">
                <Text fw={600}>{name}</Text>
                <Badge variant="default" tt="none">
                  priority {priority}
                </Badge>
                {!enabled && (
                  <Badge variant="default" tt="none" c="dimmed">
                    off
                  </Badge>
                )}
              </Group>
              <Text size="sm">
                A name that {matchWords(rule.match)} <Code>{rule.pattern}</Code>
              </Text>
              <Chain rule={rule} />
              {description && (
                <Text size="sm" c="dimmed">
                  {description}
                </Text>
              )}
            </Stack>
            <Group gap="xs">
              <Switch
                checked={enabled}
                onChange={(event) => turn(event.currentTarget.checked)}
                aria-label={`Follow ${name}`}
              />
              {place && (
                <>
                  <Button
                    size="compact-sm"
                    variant="default"
                    disabled={place.index === 0}
                    onClick={() => move(place.index - 1)}
                    aria-label={`Move ${name} up`}
                  >
                    Up
                  </Button>
                  <Button
                    size="compact-sm"
                    variant="default"
                    disabled={place.index === place.count - 1}
                    onClick={() => move(place.index + 1)}
                    aria-label={`Move ${name} down`}
                  >
                    Down
                  </Button>
                </>
              )}
              <Button
                size="compact-sm"
                variant="default"
                component={Link}
                href={`/routing/rules/${encodeURIComponent(name)}`}
                aria-label={`Edit ${name}`}
              >
                Edit
              </Button>
              <Button size="compact-sm" variant="default" onClick={remove} aria-label={`Remove ${name}`}>
                Remove
              </Button>
            </Group>
          </Group>
        </Stack>
      </Group>
    </Paper>
  );
}

function Chain({ rule }: { rule: Rule }) {
  return (
    <Text size="sm">
      {rule.targets.map((target, index) => (
        <span key={index}>
          {index === 0 ? "goes to " : ", else to "}
          <Text span fw={600}>
            {ledTo(target)}
          </Text>
          {Object.keys(target.options ?? {}).length > 0 && (
            <>
              {" "}
              with <Code>{JSON.stringify(target.options)}</Code>
            </>
          )}
        </span>
      ))}
    </Text>
  );
}
