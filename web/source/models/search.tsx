/** Models at the hubs, each with whether it would run here. */
import { Badge, Button, Group, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, told, type Schemas } from "../api/client";
import { bytes, many } from "../parts/numbers";
import { Section } from "../parts/section";
import { Empty, Loaded } from "../parts/states";

type Hit = Schemas["SearchHit"];

export function Search({ plan }: { plan: (reference: string) => void }) {
  const [typed, setTyped] = useState("");
  const [query, setQuery] = useState("");
  const hits = useQuery({
    queryKey: ["search", query],
    enabled: query !== "",
    staleTime: 60_000,
    queryFn: async () => (await told(api.GET("/admin/library/search", { params: { query: { query } } }))).hits,
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    setQuery(typed.trim());
  }

  return (
    <Section name="Find a model">
      <form onSubmit={submit} role="search">
        <Group align="flex-end" gap="xs">
          <TextInput
            flex="1 1 14rem"
            maw="40rem"
            label="Words, or a reference such as org/name or ollama://name:tag"
            maxLength={500}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Button type="submit" disabled={typed.trim() === ""} loading={hits.isFetching}>
            Search
          </Button>
          <Button variant="default" disabled={typed.trim() === ""} onClick={() => plan(typed.trim())}>
            Plan this reference
          </Button>
        </Group>
      </form>
      {query !== "" && (
        <Loaded query={hits}>
          {(found) =>
            found.length === 0 ? (
              <Empty>No hub has a model with these words.</Empty>
            ) : (
              <Stack gap="xs">
                {found.map((hit) => (
                  <Found key={hit.reference} hit={hit} plan={() => plan(hit.reference)} />
                ))}
              </Stack>
            )
          }
        </Loaded>
      )}
    </Section>
  );
}

function Found({ hit, plan }: { hit: Hit; plan: () => void }) {
  return (
    <Paper withBorder p="sm" component="article" aria-label={hit.name}>
      <Group justify="space-between" gap="xs">
        <Stack gap={2} flex="1 1 14rem" miw={0} style={{ overflowWrap: "anywhere" }}>
          <Text fw={600}>{hit.name}</Text>
          <Text size="sm" c="dimmed">
            {[
              hit.source,
              hit.framework,
              hit.size === null ? "size unknown" : bytes(hit.size),
              hit.license ?? "no licence told",
              `${many(hit.downloads)} downloads`,
            ].join(" · ")}
          </Text>
        </Stack>
        <Group gap="xs">
          {hit.gated && <Badge variant="default" tt="none">needs access</Badge>}
          <Fit hit={hit} />
          <Button size="xs" variant="default" onClick={plan} aria-label={`Plan ${hit.name}`}>
            {hit.here ? "Here already" : "Plan"}
          </Button>
        </Group>
      </Group>
    </Paper>
  );
}

function Fit({ hit }: { hit: Hit }) {
  const { verdict } = hit.compatibility;
  if (verdict === "incompatible") return <Badge color="red" tt="none">will not run</Badge>;
  if (hit.fits === false) return <Badge color="orange" tt="none">too large</Badge>;
  if (verdict === "compatible" && hit.fits) return <Badge tt="none">runs here</Badge>;
  return <Badge variant="default" tt="none">cannot tell</Badge>;
}
