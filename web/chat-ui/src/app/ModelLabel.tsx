import { Badge, Popover, Text, UnstyledButton } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { useTranslation } from "react-i18next";

/** Says when no language model answers, and how to connect one. */
export function ModelLabel() {
  const { t } = useTranslation();
  const assistant = api.useQuery("get", "/api/chat/assistant", {}, { staleTime: Infinity });
  if (!assistant.data) return null;
  if (!assistant.data.is_scripted) {
    return (
      <Text size="xs" c="dimmed" truncate>
        {assistant.data.model}
      </Text>
    );
  }
  return (
    <Popover width={300} position="bottom-start" withArrow>
      <Popover.Target>
        <UnstyledButton>
          <Badge variant="light" color="gray" tt="none" style={{ cursor: "pointer" }}>
            {t("app.scripted")}
          </Badge>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Text size="sm">{t("app.scriptedHint")}</Text>
      </Popover.Dropdown>
    </Popover>
  );
}
