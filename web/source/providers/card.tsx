/** One provider: where it is, whether it answers, what can be done about it. */
import { Badge, Button, Code, Group, Paper, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { api, told, type Schemas } from "../api/client";
import { ConfirmRemoval } from "../parts/confirm";
import { seconds } from "../parts/numbers";
import { Failed } from "../parts/states";
import { ChangeKey } from "./change-key";
import { FarModels } from "./far-models";
import { bodyOf, KINDS, put, PROVIDERS, type Provider } from "./providers";

interface Props {
  provider: Provider;
  breakers: Schemas["BreakerStatus"][];
}

export function ProviderCard({ provider, breakers }: Props) {
  const queries = useQueryClient();
  const { name } = provider;
  const [asking, ask] = useState<"key" | "remove" | null>(null);
  const tested = useMutation({
    mutationFn: () => told(api.POST("/admin/providers/{name}/test", { params: { path: { name } } })),
  });
  const turned = useMutation({
    mutationFn: (enabled: boolean) => put(name, { ...bodyOf(provider), enabled }),
    onSettled: () => queries.invalidateQueries({ queryKey: PROVIDERS }),
  });

  async function remove() {
    await told(api.DELETE("/admin/providers/{name}", { params: { path: { name } } }));
    await queries.invalidateQueries({ queryKey: PROVIDERS });
  }

  return (
    <Paper withBorder p="sm" component="article" aria-label={name} style={{ overflowWrap: "anywhere" }}>
      <Stack gap="xs">
        <Group justify="space-between" gap="xs" align="flex-start">
          <Stack gap={4} flex="1 1 16rem" miw={0}>
            <Group gap="xs">
              <Text fw={600}>{name}</Text>
              <State provider={provider} breakers={breakers} />
              <Badge variant="default" tt="none">
                {provider.has_key ? "key kept" : "no key"}
              </Badge>
              {provider.automatic && <Badge variant="default" tt="none">auto may choose it</Badge>}
              {provider.from_settings && <Badge variant="default" tt="none">from the settings</Badge>}
            </Group>
            <Facts provider={provider} />
          </Stack>
          <Group gap="xs">
            <Switch
              checked={turned.isPending ? turned.variables : provider.enabled}
              onChange={(event) => turned.mutate(event.currentTarget.checked)}
              aria-label={`Ask ${name}`}
            />
            <Button
              size="compact-sm"
              variant="default"
              loading={tested.isPending}
              disabled={!provider.enabled}
              onClick={() => tested.mutate()}
              aria-label={`Test ${name}`}
            >
              Test
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => ask("key")} aria-label={`Change the key of ${name}`}>
              Key
            </Button>
            <Button size="compact-sm" variant="default" component={Link} href={`/providers/${name}`} aria-label={`Edit ${name}`}>
              Edit
            </Button>
            {!provider.from_settings && (
              <Button size="compact-sm" variant="default" onClick={() => ask("remove")} aria-label={`Remove ${name}`}>
                Remove
              </Button>
            )}
          </Group>
        </Group>
        <Breakers breakers={breakers} />
        {turned.isError && <Failed error={turned.error} />}
        {tested.isError && <Failed error={tested.error} retry={() => tested.mutate()} />}
        {tested.isSuccess && <FarModels provider={name} models={tested.data.models} />}
      </Stack>
      {asking === "key" && <ChangeKey provider={provider} close={() => ask(null)} />}
      {asking === "remove" && (
        <ConfirmRemoval title={`Remove the provider ${name}?`} remove={remove} close={() => ask(null)}>
          <Text>Its key goes, too. Rules that lead there lead on to whoever comes next in them.</Text>
        </ConfirmRemoval>
      )}
    </Paper>
  );
}

function State({ provider, breakers }: Props) {
  if (!provider.enabled) return <Badge variant="default" tt="none" c="dimmed">off</Badge>;
  if (breakers.some((each) => each.state !== "closed")) return <Badge color="orange" tt="none">resting</Badge>;
  if (breakers.some((each) => each.failures > 0)) return <Badge color="yellow" tt="none">has failed</Badge>;
  return <Badge tt="none">on</Badge>;
}

function Facts({ provider }: { provider: Provider }) {
  const { headers, options, organization } = provider;
  return (
    <>
      <Text size="sm">
        {provider.base_url} <Text span c="dimmed" size="sm">{KINDS.find(({ value }) => value === provider.kind)?.label}</Text>
      </Text>
      <Text size="sm" c="dimmed">
        May be silent for {seconds(provider.timeout_s)}
        {organization && ` · organisation ${organization}`}
        {Object.keys(headers).length > 0 && ` · sends ${Object.keys(headers).join(", ")}`}
      </Text>
      {Object.keys(options).length > 0 && (
        <Text size="sm" c="dimmed">
          Options <Code>{JSON.stringify(options)}</Code>
        </Text>
      )}
    </>
  );
}

const AT_ONCE = 10;

function Breakers({ breakers }: { breakers: Schemas["BreakerStatus"][] }) {
  if (breakers.length === 0) return null;
  return (
    <Stack gap={2} role="group" aria-label="Failures">
      {breakers.slice(0, AT_ONCE).map((breaker) => (
        <Text key={breaker.model} size="sm">
          <Text span fw={600}>{breaker.model || "The provider"}</Text>{" "}
          {
            {
              open: `is left alone for ${seconds(breaker.rest_s)} more`,
              half_open: "may be tried by the next request",
              closed: `failed ${breaker.failures} times in a row`,
            }[breaker.state]
          }
        </Text>
      ))}
      {breakers.length > AT_ONCE && <Text size="sm">and {breakers.length - AT_ONCE} more</Text>}
    </Stack>
  );
}
