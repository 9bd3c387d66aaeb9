/** Who is here, and the way out. Nothing where nobody has to come in. */
import { Button, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { signOut, type Session } from "../api/session";

export function Who({ session }: { session: Session | undefined }) {
  const leave = useMutation({ mutationFn: signOut, onSuccess: () => location.reload() });
  if (session === undefined || !session.wants_key) return null;
  return (
    <Stack gap={4}>
      <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {session.name}
      </Text>
      <Button variant="default" size="xs" loading={leave.isPending} onClick={() => leave.mutate()}>
        Sign out
      </Button>
      {leave.isError && (
        <Text size="xs" role="alert">
          The server does not answer; you are still signed in.
        </Text>
      )}
    </Stack>
  );
}
