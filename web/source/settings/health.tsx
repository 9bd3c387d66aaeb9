/** How this server is: what doctor finds, with a remedy for what is not well. */
import { Badge, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";

const WORDS: Record<Schemas["Finding"]["outcome"], { word: string; color?: string; variant: string }> = {
  ok: { word: "well", variant: "default" },
  note: { word: "worth knowing", color: "yellow.9", variant: "filled" },
  problem: { word: "to be mended", color: "red.9", variant: "filled" },
};

export function Health() {
  const found = useQuery({ queryKey: ["health-findings"], queryFn: () => told(api.GET("/admin/health")), staleTime: 30_000 });
  return (
    <Section name="Health">
      <Group>
        <Button size="xs" variant="default" loading={found.isFetching} onClick={() => void found.refetch()}>
          Look again
        </Button>
      </Group>
      <Loaded query={found}>
        {({ ok, findings }) => (
          <Stack gap="xs">
            <Text role="status">{ok ? "Nothing has to be mended." : "Something has to be mended."}</Text>
            {findings.map((one, index) => (
              <Paper key={index} withBorder p="sm" component="article" aria-label={one.check} style={{ overflowWrap: "anywhere" }}>
                <Group gap="xs">
                  <Text fw={600}>{one.check}</Text>
                  <Badge variant={WORDS[one.outcome].variant} color={WORDS[one.outcome].color} tt="none">
                    {WORDS[one.outcome].word}
                  </Badge>
                </Group>
                <Text size="sm">{one.message}</Text>
                {one.remedy && (
                  <Text size="sm" c="dimmed">
                    {one.remedy}
                  </Text>
                )}
              </Paper>
            ))}
          </Stack>
        )}
      </Loaded>
    </Section>
  );
}
