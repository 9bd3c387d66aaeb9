/** People who may sign in. */
import { Badge, Button, Group, Paper, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { Section } from "../parts/section";
import { Empty, Failed, Loaded } from "../parts/states";
import { Scopes, SPEAKING, type Scope } from "./scopes";
import { Sure } from "./sure";

type User = Schemas["User"];

export function Users() {
  const users = useQuery({ queryKey: ["users"], queryFn: () => told(api.GET("/admin/users")) });
  return (
    <>
      <Section name="Users">
        <Loaded query={users}>
          {({ users: all }) => (
            <Stack gap="xs">
              {all.length === 0 && <Empty>Nobody signs in yet. From the first user or key on, everybody has to show who they are.</Empty>}
              {all.map((user) => (
                <OneUser key={user.id} user={user} />
              ))}
            </Stack>
          )}
        </Loaded>
      </Section>
      <Section name="Add a user">
        <AddUser isFirst={users.data?.users.length === 0} />
      </Section>
    </>
  );
}

function AddUser({ isFirst }: { isFirst: boolean }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [scopes, setScopes] = useState<Scope[] | null>(null);
  const may = scopes ?? (isFirst ? [...SPEAKING, "library", "admin"] : SPEAKING);
  const add = useMutation({
    mutationFn: () => told(api.POST("/admin/users", { body: { name: name.trim(), password, scopes: may } })),
    onSuccess: async () => {
      setName("");
      setPassword("");
      setScopes(null);
      // From the first one on, whoever asks has to sign in: so does this page.
      await queries.invalidateQueries();
    },
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
            From the first user on, this server wants a name and a password, or a key, from everybody. The first one should be an
            administrator.
          </Text>
        )}
        <Group gap="sm" align="start">
          <TextInput
            label="Name"
            description="Small letters, digits and . _ @ + -"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={64}
            flex="1 1 12rem"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            description="The longer the better"
            autoComplete="new-password"
            flex="1 1 12rem"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
        </Group>
        <Scopes value={may} onChange={setScopes} />
        {add.isError && <Failed error={add.error} />}
        {add.isSuccess && (
          <Text size="sm" role="status">
            {add.data.name} may sign in now.
          </Text>
        )}
        <Group>
          <Button type="submit" loading={add.isPending} disabled={name.trim() === "" || password === "" || may.length === 0}>
            Add
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function OneUser({ user }: { user: User }) {
  const queries = useQueryClient();
  const [editing, setEditing] = useState<"password" | "scopes" | null>(null);
  const params = { path: { name: user.name } };
  const done = async () => {
    setEditing(null);
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  const change = useMutation({
    mutationFn: (body: Schemas["UserChanges"]) => told(api.PATCH("/admin/users/{name}", { params, body })),
    onSuccess: done,
  });
  const remove = useMutation({ mutationFn: () => told(api.DELETE("/admin/users/{name}", { params })), onSuccess: done });
  const toggle = (what: "password" | "scopes") => {
    change.reset();
    setEditing(editing === what ? null : what);
  };
  return (
    <Paper withBorder p="sm" component="article" aria-label={user.name}>
      <Stack gap="xs" style={{ overflowWrap: "anywhere" }}>
        <Group justify="space-between" gap="xs">
          <Group gap="xs" flex="1 1 10rem" miw={0}>
            <Text fw={600}>{user.name}</Text>
            {user.disabled && (
              <Badge variant="default" tt="none">
                may not sign in
              </Badge>
            )}
          </Group>
          <Group gap="xs">
            <Button size="compact-sm" variant="default" aria-label={`New password for ${user.name}`} onClick={() => toggle("password")}>
              New password
            </Button>
            <Button size="compact-sm" variant="default" aria-label={`What ${user.name} may`} onClick={() => toggle("scopes")}>
              Scopes
            </Button>
            <Button
              size="compact-sm"
              variant="default"
              aria-label={`${user.disabled ? "Let in" : "Lock out"} ${user.name}`}
              onClick={() => change.mutate({ disabled: !user.disabled })}
            >
              {user.disabled ? "Let in" : "Lock out"}
            </Button>
            <Sure name="Remove" label={`Remove ${user.name}`} question="For good?" loading={remove.isPending} go={() => remove.mutate()} />
          </Group>
        </Group>
        <Text size="sm" c="dimmed">
          {user.scopes.join(", ")} ·{" "}
          {user.last_sign_in_at === null ? "never signed in" : `last signed in ${new Date(user.last_sign_in_at).toLocaleString()}`}
        </Text>
        {editing === "password" && <NewPassword name={user.name} save={(password) => change.mutate({ password })} />}
        {editing === "scopes" && <NewScopes scopes={user.scopes} save={(scopes) => change.mutate({ scopes })} />}
        {change.isError && <Failed error={change.error} />}
        {remove.isError && <Failed error={remove.error} />}
      </Stack>
    </Paper>
  );
}

function NewPassword({ name, save }: { name: string; save: (password: string) => void }) {
  const [password, setPassword] = useState("");
  function submit(event: FormEvent) {
    event.preventDefault();
    save(password);
  }
  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="end">
        <PasswordInput
          label={`New password for ${name}`}
          description="It signs them out everywhere."
          autoComplete="new-password"
          autoFocus
          flex="1 1 14rem"
          maw="24rem"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" disabled={password === ""}>
          Save
        </Button>
      </Group>
    </form>
  );
}

function NewScopes({ scopes, save }: { scopes: Scope[]; save: (scopes: Scope[]) => void }) {
  const [chosen, setChosen] = useState(scopes);
  return (
    <Stack gap="xs" align="start">
      <Scopes value={chosen} onChange={setChosen} />
      <Button size="xs" disabled={chosen.length === 0} onClick={() => save(chosen)}>
        Save
      </Button>
    </Stack>
  );
}
