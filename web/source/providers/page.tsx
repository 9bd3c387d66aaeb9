import { Anchor, Button, Group, Stack, Text, Title } from "@mantine/core";
import { Link, useLocation, useSearchParams } from "wouter";
import { Section } from "../parts/section";
import { Empty, Failed, Loaded } from "../parts/states";
import { ProviderCard } from "./card";
import { ProviderDialog } from "./dialog";
import { useBreakers, useProviders } from "./providers";

/** Providers: who else answers. `/providers/NAME` opens one, `/providers?add` a form for another. */
export function ProvidersPage({ params }: { params: { name?: string } }) {
  const [, go] = useLocation();
  const [search] = useSearchParams();
  const providers = useProviders();
  const breakers = useBreakers();
  return (
    <Stack gap="xl" maw="90rem" mx="auto">
      <Title order={1}>Providers</Title>
      <Section name="Who else answers">
        <Text size="sm">
          Their models are asked for by name, as PROVIDER/MODEL, or by a{" "}
          <Anchor component={Link} href="/routing" size="sm" underline="always">
            rule
          </Anchor>
          . Who fails is left alone for a while; then one request tries whether it is back.
        </Text>
        <Group>
          <Button size="xs" component={Link} href="/providers?add">
            Add a provider
          </Button>
        </Group>
        {breakers.isError && providers.isSuccess && <Failed error={breakers.error} />}
        <Loaded query={providers}>
          {(all) =>
            all.length === 0 ? (
              <Empty>None but this machine. Add OpenAI, Anthropic, an Ollama, or a server of your own.</Empty>
            ) : (
              <Stack gap="sm">
                {all.map((provider) => (
                  <ProviderCard
                    key={provider.name}
                    provider={provider}
                    breakers={(breakers.data ?? []).filter((breaker) => breaker.provider === provider.name)}
                  />
                ))}
              </Stack>
            )
          }
        </Loaded>
      </Section>
      {search.has("add") && <ProviderDialog name={null} close={() => go("/providers")} />}
      {params.name && <ProviderDialog name={params.name} close={() => go("/providers")} />}
    </Stack>
  );
}
