import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from "@mantine/core";
import { api, client } from "@msil-mcp/api";
import type { Profile } from "@msil-mcp/ui";
import { IconCheck, IconLogout, IconSettings, IconUser } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

import { chooseLanguage, type Language, LANGUAGES } from "../../shared/i18n";

const THEMES = ["light", "dark", "auto"] as const;

/** Who is signed in, in which language and theme, and the way out. */
export function AccountMenu({ profile }: { profile: Profile }) {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const signOut = api.useMutation("post", "/api/auth/logout", { onSuccess: ({ provider_url }) => window.location.assign(provider_url ?? "/chat/") });
  const isAdministrator = profile.permissions.some((permission) => permission === "analytics:read" || permission === "audit:read");
  const choose = (language: Language) => {
    void chooseLanguage(language);
    // The server speaks it too; only people who are known here have preferences.
    if (profile.preferences) void client.PATCH("/api/auth/me", { body: { preferences: { locale: language } } }).catch(() => undefined);
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
        <Menu.RadioGroup value={colorScheme} onChange={(scheme) => setColorScheme(scheme as MantineColorScheme)}>
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
