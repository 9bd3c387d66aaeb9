/** What a page shows before, instead of, or after its content. */
import { Alert, Button, Center, Loader, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { asFailure } from "../api/failure";

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const failure = asFailure(error);
  return (
    <Alert color="red" role="alert" title={failure.message} style={{ overflowWrap: "anywhere" }}>
      <Stack gap="xs" align="start">
        {failure.hint && <Text size="sm">{failure.hint}</Text>}
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return (
    <Center py="lg">
      <Text c="dimmed" ta="center">
        {children}
      </Text>
    </Center>
  );
}

interface Query<T> {
  data: T | undefined;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** The content of a query once it is there; what was there stays while the server is away. */
export function Loaded<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.isError) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Waiting />;
}

/** Something is on its way. */
export function Waiting() {
  return (
    <Center py="lg">
      <Loader role="status" aria-label="Loading" size="sm" />
    </Center>
  );
}
