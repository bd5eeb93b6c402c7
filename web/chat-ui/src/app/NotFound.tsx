import { Anchor, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center">
      <Title order={1} size="h4">
        {t("common.noPage")}
      </Title>
      <Text c="dimmed">{t("common.noPageDetail")}</Text>
      <Anchor href="/chat/">{t("common.toStart")}</Anchor>
    </Stack>
  );
}
