/** The way in, over whatever page was opened: that stays as it is behind it, with what was written there. */
import { Anchor, Button, Center, Modal, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";
import { api, told } from "../api/client";
import { comeInWith, signIn, useEntryWanted, type Session } from "../api/session";
import { Failed, Waiting } from "../parts/states";

export function SignIn({ session }: { session: Session | undefined }) {
  const wanted = useEntryWanted();
  const queries = useQueryClient();
  const last = useRef<string | null>(null); // who was here before the session ended
  if (session !== undefined) last.current = session.id;

  function entered(now: Session) {
    // What somebody else saw and wrote is not for whoever comes next.
    if (last.current !== null && last.current !== now.id) location.reload();
    else void queries.invalidateQueries();
  }

  return (
    <Modal.Root opened={wanted} onClose={() => undefined} closeOnEscape={false} fullScreen transitionProps={{ duration: 0 }}>
      <Modal.Content aria-label="Sign in">
        <Modal.Body>
          <Center mih="80vh">
            <Stack w="100%" maw="22rem">
              <Title order={1} size="h2">
                Sign in to Paddock
              </Title>
              {last.current !== null && <Text size="sm">You are no longer signed in. What you wrote is still there.</Text>}
              {wanted && <Ways entered={entered} />}
            </Stack>
          </Center>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Ways({ entered }: { entered: (session: Session) => void }) {
  const [byKey, setByKey] = useState<boolean | null>(null);
  const ways = useQuery({ queryKey: ["ways"], queryFn: () => told(api.GET("/admin/session/ways")), staleTime: 0 });
  if (ways.data === undefined) {
    return ways.isError ? (
      <Failed error={ways.error} retry={() => void ways.refetch()} />
    ) : (
      <Waiting />
    );
  }
  const key = byKey ?? !ways.data.password;
  return (
    <>
      {key ? <KeyForm entered={entered} /> : <PasswordForm entered={entered} />}
      {ways.data.password && (
        <Anchor component="button" type="button" size="sm" ta="start" onClick={() => setByKey(!key)}>
          {key ? "Use a name and a password" : "Use a key instead"}
        </Anchor>
      )}
    </>
  );
}

function PasswordForm({ entered }: { entered: (session: Session) => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation({ mutationFn: () => signIn(name.trim(), password), onSuccess: entered });

  function submit(event: FormEvent) {
    event.preventDefault();
    enter.mutate();
  }

  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label="Name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          maxLength={64}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        {enter.isError && <Failed error={enter.error} />}
        <Button type="submit" loading={enter.isPending} disabled={name.trim() === "" || password === ""}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

function KeyForm({ entered }: { entered: (session: Session) => void }) {
  const [typed, setTyped] = useState("");
  const enter = useMutation({ mutationFn: () => comeInWith(typed.trim()), onSuccess: entered });

  function submit(event: FormEvent) {
    event.preventDefault();
    enter.mutate();
  }

  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">Paste a key of this server, or the admin key that it was started with. It is kept until you close this tab.</Text>
        <PasswordInput
          label="Key"
          autoComplete="off"
          data-autofocus
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        {enter.isError && <Failed error={enter.error} />}
        <Button type="submit" loading={enter.isPending} disabled={typed.trim() === ""}>
          Go on
        </Button>
      </Stack>
    </form>
  );
}
