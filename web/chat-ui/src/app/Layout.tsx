import { Alert, Burger, Center, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useDisclosure, useDocumentTitle, useHotkeys, useNetwork } from "@mantine/hooks";
import { Mark, type Profile, SignInGate } from "@msil-mcp/ui";
import { IconUser, IconWifiOff } from "@tabler/icons-react";
import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useTranslation } from "react-i18next";

import { chooseLanguage } from "../shared/i18n";
import { fetched } from "./fetched";
import classes from "./Layout.module.css";
import { useSignInLabels } from "./useSignInLabels";

// One can begin to write before these are there; they are fetched while the server says who it is.
const AccountMenu = fetched(import("../features/account").then((module) => module.AccountMenu));
const ModelLabel = fetched(import("./ModelLabel").then((module) => module.ModelLabel));
const Sidebar = fetched(import("../features/sessions").then((module) => module.Sidebar));

/** Who is it? Then the frame around every page. */
export function Layout() {
  const { t } = useTranslation();
  const labels = useSignInLabels();
  useDocumentTitle(t("app.title"));
  return (
    <SignInGate title={t("app.title")} labels={labels} speak={chooseLanguage}>
      {(profile) => <Frame profile={profile} />}
    </SignInGate>
  );
}

function Frame({ profile }: { profile: Profile }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [isOpen, { toggle, close, open }] = useDisclosure(false);
  const search = useRef<HTMLInputElement>(null);
  const { online } = useNetwork();
  useHotkeys(
    [
      ["mod+shift+O", () => void navigate({ to: "/" })],
      ["Escape", close],
      [
        "mod+K",
        () => {
          open();
          search.current?.focus();
        },
      ],
    ],
    [],
  );
  return (
    <div className={classes["frame"]}>
      <a href="#main" className={classes["skip"]}>
        {t("app.skip")}
      </a>
      <header className={classes["header"]}>
        <Group gap="xs" wrap="nowrap" miw={0}>
          <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("sessions.list")} aria-expanded={isOpen} />
          <Link to="/" className={classes["home"]} aria-label={t("app.title")} onClick={close}>
            <Mark />
            <Text fw={600} component="span" visibleFrom="xs">
              {t("app.title")}
            </Text>
          </Link>
          <ModelLabel />
        </Group>
        <AccountMenu profile={profile} place={<AccountPlace />} />
      </header>
      <nav className={classes["nav"]} data-open={isOpen || undefined} aria-label={t("sessions.list")}>
        <Sidebar onOpen={close} searchRef={search} place={<SidebarPlace />} />
      </nav>
      <main className={classes["main"]} id="main" tabIndex={-1}>
        {!online && (
          <Alert variant="light" color="yellow" icon={<IconWifiOff aria-hidden />} role="status" py="xs">
            {t("app.offline")}
          </Alert>
        )}
        <div className={classes["page"]}>
          <Outlet />
        </div>
      </main>
    </div>
  );
}

/** As large as what comes. */
function AccountPlace() {
  return (
    <Center w={34} h={34} c="dimmed" aria-hidden>
      <IconUser size={20} />
    </Center>
  );
}

function SidebarPlace() {
  return (
    <Stack gap="xs" p="sm" aria-hidden>
      <Skeleton height={36} />
      <Skeleton height={36} />
      {Array.from({ length: 6 }, (_, index) => (
        <Skeleton key={index} height={20} my={6} />
      ))}
    </Stack>
  );
}
