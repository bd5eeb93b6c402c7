import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { api } from "@msil-mcp/api";
import { ErrorNotice, type Profile, useKeptChoice } from "@msil-mcp/ui";
import { IconCheck, IconLogout, IconSettings, IconUser } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

import { chooseLanguage, type Language, LANGUAGES } from "../../shared/i18n";

const THEMES = ["light", "dark", "auto"] as const;

/** Who is signed in, in which language and theme, and the way out. */
export function AccountMenu({ profile }: { profile: Profile }) {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const close = { closeButtonProps: { "aria-label": t("common.close") } };
  const keep = useKeptChoice(profile, () => notifications.show({ message: t("account.notKept"), ...close }));
  const signOut = api.useMutation("post", "/api/auth/logout", {
    onSuccess: ({ provider_url }) => {
      // What was half written is nobody else's to read.
      sessionStorage.clear();
      window.location.assign(provider_url ?? "/chat/");
    },
    onError: (error) => notifications.show({ message: <ErrorNotice error={error} />, withBorder: false, ...close }),
  });
  const isAdministrator = profile.permissions.some((permission) => permission === "analytics:read" || permission === "audit:read");
  const choose = (language: Language) => {
    void chooseLanguage(language);
    keep({ locale: language });
  };
  const wear = (theme: MantineColorScheme) => {
    setColorScheme(theme);
    keep({ theme });
  };
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("account.menu", { name: profile.name })}>
          <IconUser size={20} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{profile.name}</Menu.Label>
        {isAdministrator && (
          <Menu.Item component="a" href="/admin/" leftSection={<IconSettings size={16} aria-hidden />}>
            {t("account.admin")}
          </Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Label>{t("account.language")}</Menu.Label>
        <Menu.RadioGroup value={i18n.language} onChange={(code) => choose(code as Language)}>
          {Object.entries(LANGUAGES).map(([code, name]) => (
            <Menu.RadioItem key={code} value={code} lang={code} closeMenuOnClick checkIcon={<IconCheck size={14} aria-hidden />}>
              {name}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Label>{t("account.theme")}</Menu.Label>
        <Menu.RadioGroup value={colorScheme} onChange={(scheme) => wear(scheme as MantineColorScheme)}>
          {THEMES.map((value) => (
            <Menu.RadioItem key={value} value={value} closeMenuOnClick checkIcon={<IconCheck size={14} aria-hidden />}>
              {t(`account.${value}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => signOut.mutate({})}>
          {t("account.signOut")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
