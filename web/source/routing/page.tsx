import { Stack, Title } from "@mantine/core";
import { useLocation } from "wouter";
import { ProfileDialog } from "./profile-dialog";
import { ProfileList } from "./profile-list";
import { Replay } from "./replay";
import { RuleDialog } from "./rule-dialog";
import { RuleList } from "./rule-list";
import { Tester } from "./tester";

/** Routing: from the name that is asked to who answers. `/routing/rules/NAME`, `/routing/new`, `/routing/profiles/NAME` open one. */
export function RoutingPage({ params }: { params: { part?: string; name?: string } }) {
  const [, go] = useLocation();
  const close = () => go("/routing");
  const { part, name } = params;
  return (
    <Stack gap="xl" maw="90rem" mx="auto">
      <Title order={1}>Routing</Title>
      <Tester />
      <RuleList />
      <ProfileList />
      <Replay />
      {part === "new" && <RuleDialog name={null} close={close} />}
      {part === "rules" && name && <RuleDialog name={name} close={close} />}
      {part === "new-profile" && <ProfileDialog name={null} close={close} />}
      {part === "profiles" && name && <ProfileDialog name={name} close={close} />}
    </Stack>
  );
}
