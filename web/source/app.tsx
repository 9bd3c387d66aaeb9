/** The frame around every page: where one can go, whether the server answers, the key. */
import { Alert, AppShell, Burger, Group, NavLink, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";
import { api, told } from "./api/client";
import { asFailure } from "./api/failure";
import { Boundary } from "./parts/boundary";
import { Waiting } from "./parts/states";
import { ThemeSwitch } from "./parts/theme";
import { SignIn } from "./sign-in/page";
import { Who } from "./sign-in/who";

// Each page is a file of its own, fetched when somebody goes there: the first load stays small.
const ActivityPage = lazy(async () => ({ default: (await import("./activity/page")).ActivityPage }));
const ChatPage = lazy(async () => ({ default: (await import("./chat/page")).ChatPage }));
const MemoryPage = lazy(async () => ({ default: (await import("./memory/page")).MemoryPage }));
const ModelsPage = lazy(async () => ({ default: (await import("./models/page")).ModelsPage }));
const ProvidersPage = lazy(async () => ({ default: (await import("./providers/page")).ProvidersPage }));
const RoutingPage = lazy(async () => ({ default: (await import("./routing/page")).RoutingPage }));
const SettingsPage = lazy(async () => ({ default: (await import("./settings/page")).SettingsPage }));
const StartPage = lazy(async () => ({ default: (await import("./start/page")).StartPage }));

const PLACES = [
  { to: "/", name: "Start" },
  { to: "/chat", name: "Chat" },
  { to: "/models", name: "Models" },
  { to: "/memory", name: "Memory" },
  { to: "/routing", name: "Routing" },
  { to: "/providers", name: "Providers" },
  { to: "/activity", name: "Activity" },
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
  const session = useQuery({ queryKey: ["session"], queryFn: () => told(api.GET("/admin/session")), staleTime: Infinity });
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
        <AppShell.Section grow>
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
        </AppShell.Section>
        <AppShell.Section>
          <Who session={session.data} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main>
        {health.isError && asFailure(health.error).offline && (
          <Alert color="red" role="alert" mb="md" title="The server does not answer.">
            <Text size="sm">What you see is as it was. This page goes on by itself once the server is back.</Text>
          </Alert>
        )}
        <Boundary place={here}>
          <Suspense fallback={<Waiting />}>
            <Switch>
              <Route path="/" component={StartPage} />
              <Route path="/chat/:id?" component={ChatPage} />
              <Route path="/models" component={ModelsPage} />
              <Route path="/memory" component={MemoryPage} />
              <Route path="/routing/:part?/:name?" component={RoutingPage} />
              <Route path="/providers/:name?" component={ProvidersPage} />
              <Route path="/activity/:seq?" component={ActivityPage} />
              <Route path="/settings/:part?" component={SettingsPage} />
              <Route>
                <Redirect to="/" />
              </Route>
            </Switch>
          </Suspense>
        </Boundary>
      </AppShell.Main>
      <SignIn session={session.data} />
    </AppShell>
  );
}
