/** The frame around every page: where one can go, whether the server answers, the key. */
import { Alert, AppShell, Burger, Group, NavLink, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";
import { api, told } from "./api/client";
import { asFailure } from "./api/failure";
import { ChatPage } from "./chat/page";
import { MemoryPage } from "./memory/page";
import { ModelsPage } from "./models/page";
import { KeyDialog } from "./parts/key-dialog";
import { ThemeSwitch } from "./parts/theme";
import { SettingsPage } from "./settings/page";
import { StartPage } from "./start/page";

const PLACES = [
  { to: "/", name: "Start" },
  { to: "/chat", name: "Chat" },
  { to: "/models", name: "Models" },
  { to: "/memory", name: "Memory" },
  { to: "/settings", name: "Settings" },
];
const LOOK_MS = 5_000;

export function App() {
  const [opened, { toggle, close }] = useDisclosure();
  const [here] = useLocation();
  const health = useQuery({
    queryKey: ["health"],
    queryFn: () => told(api.GET("/healthz")),
    refetchInterval: LOOK_MS,
  });
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 180, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding="md"
    >
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" />
            <UnstyledButton component={Link} href="/" fw={700}>
              Paddock
            </UnstyledButton>
          </Group>
          <ThemeSwitch />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        {PLACES.map(({ to, name }) => {
          const active = to === "/" ? here === "/" : here.startsWith(to);
          return (
            <NavLink
              key={to}
              component={Link}
              href={to}
              label={name}
              active={active}
              variant="filled"
              aria-current={active ? "page" : undefined}
              onClick={close}
            />
          );
        })}
      </AppShell.Navbar>
      <AppShell.Main>
        {health.isError && asFailure(health.error).offline && (
          <Alert color="red" role="alert" mb="md" title="The server does not answer.">
            <Text size="sm">What you see is as it was. This page goes on by itself once the server is back.</Text>
          </Alert>
        )}
        <Switch>
          <Route path="/" component={StartPage} />
          <Route path="/chat/:id?" component={ChatPage} />
          <Route path="/models" component={ModelsPage} />
          <Route path="/memory" component={MemoryPage} />
          <Route path="/settings" component={SettingsPage} />
          <Route>
            <Redirect to="/" />
          </Route>
        </Switch>
      </AppShell.Main>
      <KeyDialog />
    </AppShell>
  );
}
