import { AppShell, Burger, Group, Menu, NavLink, ScrollArea, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { notifications } from "@mantine/notifications";
import { ColorSchemeToggle, ErrorNotice, Mark, SignInGate, useKeptChoice } from "@msil-mcp/ui";
import { IconChevronDown, IconLogout, IconMessageCircle } from "@tabler/icons-react";
import { Link, Outlet, useLocation } from "@tanstack/react-router";

import { IdentityProvider, type Profile } from "../shared/identity";
import { tell } from "../shared/notice";
import { NAVIGATION } from "./navigation";

/** Who is it? Then the frame around every page. */
export function Shell() {
  return (
    <SignInGate title="MSIL MCP administration">
      {(profile) => (
        <IdentityProvider value={profile}>
          <Frame profile={profile} />
        </IdentityProvider>
      )}
    </SignInGate>
  );
}

function Frame({ profile }: { profile: Profile }) {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  const keep = useKeptChoice(profile, () => tell("The theme counts on this device. The server could not keep it for your other ones."));
  const groups = NAVIGATION.map((group) => ({
    ...group,
    pages: group.pages.filter((page) => profile.permissions.includes(page.needs)),
  })).filter((group) => group.pages.length > 0);
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: !isOpen } }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" aria-expanded={isOpen} />
            <Mark />
            <Text fw={600} visibleFrom="xs">
              MSIL MCP
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <ColorSchemeToggle onChoose={(theme) => keep({ theme })} />
            <AccountMenu profile={profile} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar aria-label="Pages">
        <ScrollArea p="xs">
          {groups.map((group) => (
            <nav key={group.label} aria-label={group.label}>
              <Text size="xs" fw={600} c="dimmed" px="sm" pt="sm" pb={4}>
                {group.label}
              </Text>
              {group.pages.map((page) => {
                const isHere = page.to === "/" ? pathname === "/" : pathname.startsWith(page.to);
                return (
                  <NavLink
                    key={page.to}
                    component={Link}
                    to={page.to}
                    label={page.label}
                    leftSection={<page.icon size={18} stroke={1.6} aria-hidden />}
                    active={isHere}
                    aria-current={isHere ? "page" : undefined}
                    onClick={close}
                  />
                );
              })}
            </nav>
          ))}
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

function AccountMenu({ profile }: { profile: Profile }) {
  const signOut = api.useMutation("post", "/api/auth/logout", {
    onSuccess: ({ provider_url }) => window.location.assign(provider_url ?? "/admin/"),
    onError: (error) => notifications.show({ message: <ErrorNotice error={error} />, withBorder: false }),
  });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <UnstyledButton>
          <Group gap={4} wrap="nowrap">
            <Text size="sm" maw={160} truncate>
              {profile.name}
            </Text>
            <IconChevronDown size={14} aria-hidden />
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{profile.roles.join(", ") || "no roles"}</Menu.Label>
        {profile.permissions.includes("chat:use") && (
          <Menu.Item component="a" href="/chat/" leftSection={<IconMessageCircle size={16} aria-hidden />}>
            To the chat
          </Menu.Item>
        )}
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => signOut.mutate({})}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
