import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { Failed } from "../parts/states";
import { Scopes, SPEAKING } from "./scopes";

const BLANK = { name: "", models: "", perMinute: "", perDay: "", until: "" };

interface Props {
  made: (key: Schemas["NewKey"]) => void;
  isFirst: boolean;
}

/** What a key is to be called and may do. What is left empty is without a limit. */
export function AddKey({ made, isFirst }: Props) {
  const [typed, setTyped] = useState(BLANK);
  const [scopes, setScopes] = useState(SPEAKING);
  const add = useMutation({
    mutationFn: () => told(api.POST("/admin/keys", { body: { ...bodyOf(typed), scopes } })),
    onSuccess: (key) => {
      setTyped(BLANK);
      setScopes(SPEAKING);
      made(key);
    },
  });
  const field = (name: keyof typeof BLANK) => ({
    value: typed[name],
    onChange: (event: { currentTarget: { value: string } }) => {
      const { value } = event.currentTarget;
      setTyped((before) => ({ ...before, [name]: value }));
    },
    flex: "1 1 12rem",
    autoComplete: "off",
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    add.mutate();
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        {isFirst && (
          <Text size="sm">
            From the first key on, every program has to show one, and so does this page: make one with the scope admin first, unless you
            sign in with a name.
          </Text>
        )}
        <Group gap="sm" align="start">
          <TextInput label="Name" description="Who or what uses it" maxLength={64} {...field("name")} />
          <TextInput label="Models" description="Names or patterns such as qwen*, with commas; empty is all" {...field("models")} />
        </Group>
        <Scopes value={scopes} onChange={setScopes} />
        <Group gap="sm" align="start">
          <TextInput label="Requests a minute" inputMode="numeric" {...field("perMinute")} />
          <TextInput label="Tokens a day" inputMode="numeric" {...field("perDay")} />
          <TextInput label="Until" type="datetime-local" {...field("until")} />
        </Group>
        {add.isError && <Failed error={add.error} />}
        <Group>
          <Button type="submit" loading={add.isPending} disabled={typed.name.trim() === "" || scopes.length === 0}>
            Make the key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** As the server takes it. What is no number goes as it is: the server says what is wrong with it. */
export function bodyOf(typed: typeof BLANK) {
  const models = typed.models
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const count = (text: string) => (text.trim() === "" ? null : (Number(text) as number));
  return {
    name: typed.name.trim(),
    models,
    requests_per_minute: count(typed.perMinute),
    tokens_per_day: count(typed.perDay),
    expires_at: typed.until === "" ? null : new Date(typed.until).toISOString(),
  };
}
