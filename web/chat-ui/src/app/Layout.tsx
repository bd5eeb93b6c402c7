import { Alert, Burger, Group, Text } from "@mantine/core";
import { useDisclosure, useHotkeys, useNetwork } from "@mantine/hooks";
import { Mark, type Profile, SignInGate } from "@msil-mcp/ui";
import { IconWifiOff } from "@tabler/icons-react";
import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useTranslation } from "react-i18next";

import { AccountMenu } from "../features/account";
import { Sidebar } from "../features/sessions";
import classes from "./Layout.module.css";
import { ModelLabel } from "./ModelLabel";
import { useSignInLabels } from "./useSignInLabels";

/** Who is it? Then the frame around every page. */
export function Layout() {
  const { t } = useTranslation();
  const labels = useSignInLabels();
  return (
    <SignInGate title={t("app.title")} labels={labels}>
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
        <AccountMenu profile={profile} />
      </header>
      <nav className={classes["nav"]} data-open={isOpen || undefined} aria-label={t("sessions.list")}>
        <Sidebar onOpen={close} searchRef={search} />
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
