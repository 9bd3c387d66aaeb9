/** Requests that are being answered now. */
import { Alert, Loader, Paper, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told } from "../api/client";
import { seconds } from "../parts/numbers";
import { Section } from "../parts/section";
import { Empty, Loaded } from "../parts/states";

const LOOK_MS = 2_000;
const IDLE_LOOK_MS = 5_000;

/** What runs, and the number of the last row: whatever is shown of rows is asked for again once that has changed. */
export function useLive() {
  return useQuery({
    queryKey: ["audit-live"],
    queryFn: () => told(api.GET("/admin/audit/live")),
    // While somebody looks: a page in the background asks nothing.
    refetchInterval: ({ state }) => (state.data?.requests.length ? LOOK_MS : IDLE_LOOK_MS),
  });
}

export function Live({ live, callers }: { live: ReturnType<typeof useLive>; callers: (id: string) => string }) {
  return (
    <Section name="Now">
      <Loaded query={live}>
        {({ requests, kept }) => (
          <Stack gap="xs">
            {!kept && (
              <Alert color="yellow" variant="outline" title="Nothing is written down.">
                `audit.keep` is off: requests that are over leave no row.
              </Alert>
            )}
            {requests.length === 0 && <Empty>Nobody is asking anything.</Empty>}
            {requests.map((one) => (
              <Paper key={`${one.request_id} ${one.at}`} withBorder p="xs" style={{ overflowWrap: "anywhere" }}>
                <Text size="sm">
                  <Loader size={10} aria-hidden mr={8} />
                  <b>{one.asked_model || one.dialect}</b>
                  {one.model ? ` answered by ${one.model}${one.provider ? ` (${one.provider})` : ""}` : " is waiting for an answer"}, for{" "}
                  {callers(one.caller)}: {seconds(one.seconds)}
                  {one.first_token_seconds === null
                    ? ", no token yet"
                    : `, ${one.completion_tokens} tokens so far, the first after ${seconds(one.first_token_seconds)}`}
                </Text>
              </Paper>
            ))}
          </Stack>
        )}
      </Loaded>
    </Section>
  );
}
