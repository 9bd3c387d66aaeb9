/** Profiles: what `auto` looks for in a model. */
import { Badge, Button, Group, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { api, told } from "../api/client";
import { ConfirmRemoval } from "../parts/confirm";
import { Section } from "../parts/section";
import { Failed, Loaded } from "../parts/states";
import { fallbacks, makeUsual, PROFILES, useProfiles, type Profile } from "./profiles";

export function ProfileList() {
  const profiles = useProfiles();
  return (
    <Section name="Profiles">
      <Text size="sm">
        Whoever asks for auto:NAME gets the model that suits the profile of that name best; auto alone follows the usual one.
      </Text>
      <Group>
        <Button component={Link} href="/routing/new-profile" size="xs">
          New profile
        </Button>
      </Group>
      <Loaded query={profiles}>
        {({ profiles: all, default_profile, overrides }) => (
          <SimpleGrid cols={{ base: 1, sm: 2, xl: 4 }} spacing="sm">
            {all.map((profile) => (
              <Card
                key={profile.name}
                profile={profile}
                chain={fallbacks(profile, all)}
                usual={profile.name === default_profile}
                override={overrides[profile.name]}
              />
            ))}
          </SimpleGrid>
        )}
      </Loaded>
    </Section>
  );
}

interface CardProps {
  profile: Profile;
  chain: string[];
  usual: boolean;
  override: string | undefined;
}

function Card({ profile, chain, usual, override }: CardProps) {
  const queries = useQueryClient();
  const { name, preferred_families: families = [], required_capabilities: able = [], min_context_window: context = 0 } = profile;
  const [removing, setRemoving] = useState(false);
  const change = useMutation({
    mutationFn: () => makeUsual(name),
    onSuccess: () => queries.invalidateQueries({ queryKey: PROFILES }),
  });

  async function remove() {
    await told(api.DELETE("/admin/profiles/{name}", { params: { path: { name } } }));
    await queries.invalidateQueries({ queryKey: PROFILES });
  }

  return (
    <Paper withBorder p="sm" component="article" aria-label={name}>
      <Stack gap="xs" justify="space-between" h="100%" style={{ overflowWrap: "anywhere" }}>
        <Stack gap={4}>
          <Group gap="xs">
            <Text fw={600}>{name}</Text>
            {profile.own && <Badge variant="default" tt="none">yours</Badge>}
            {usual && <Badge tt="none">usual</Badge>}
          </Group>
          {profile.description && <Text size="sm">{profile.description}</Text>}
          <Text size="sm" c="dimmed">
            {families.length === 0 ? "Any family" : `Families: ${families.join(", ")}`}
          </Text>
          <Text size="sm" c="dimmed">
            {context === 0 ? "Any context" : `${context.toLocaleString("en")} tokens of context or more`}
            {able.length > 0 && ` · must do ${able.join(", ")}`}
          </Text>
          <Text size="sm" c="dimmed">
            {chain.length === 0 ? "No fallback" : `Falls back on ${chain.join(", then ")}`}
          </Text>
          {override && <Text size="sm">Always {override}, if it is there</Text>}
        </Stack>
        {change.isError && <Failed error={change.error} />}
        <Group gap="xs">
          <Button size="compact-sm" variant="default" component={Link} href={`/routing?ask=auto:${name}`} aria-label={`Try ${name}`}>
            Try
          </Button>
          <Button size="compact-sm" variant="default" component={Link} href={`/routing/profiles/${name}`} aria-label={`Edit ${name}`}>
            Edit
          </Button>
          {!usual && (
            <Button size="compact-sm" variant="default" onClick={() => change.mutate()} aria-label={`Make usual: ${name}`}>
              Make usual
            </Button>
          )}
          {profile.own && (
            <Button size="compact-sm" variant="default" onClick={() => setRemoving(true)} aria-label={`Remove ${name}`}>
              Remove
            </Button>
          )}
        </Group>
      </Stack>
      {removing && (
        <ConfirmRemoval title={`Remove the profile ${name}?`} remove={remove} close={() => setRemoving(false)}>
          <Text>A built-in profile of this name, if there is one, holds again.</Text>
        </ConfirmRemoval>
      )}
    </Paper>
  );
}
