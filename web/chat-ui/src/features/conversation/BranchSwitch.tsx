import { ActionIcon, Group, Text } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

interface Props {
  sessionId: string;
  messageId: string;
  /** The ids of all versions of the message, this one among them; absent where there is one. */
  versions: readonly string[] | undefined;
}

/** "2 of 3", where a conversation was continued in several ways. */
export function BranchSwitch({ sessionId, messageId, versions }: Props) {
  const here = versions?.indexOf(messageId) ?? -1;
  if (!versions || here < 0 || versions.length < 2) return null;
  return <Steps sessionId={sessionId} versions={versions} here={here} />;
}

function Steps({ sessionId, versions, here }: { sessionId: string; versions: readonly string[]; here: number }) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const choose = api.useMutation("put", "/api/chat/sessions/{session_id}/branches/{message_id}", {
    onSuccess: () => cache.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[1]).startsWith("/api/chat/sessions/{session_id}") }),
  });
  const step = (by: -1 | 1) => {
    const target = versions[here + by];
    return {
      disabled: target === undefined || choose.isPending,
      onClick: () => target !== undefined && choose.mutate({ params: { path: { session_id: sessionId, message_id: target } } }),
    };
  };
  return (
    <Group gap={0} role="group" aria-label={t("conversation.branches")}>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t("conversation.previousBranch")} {...step(-1)}>
        <IconChevronLeft size="70%" aria-hidden />
      </ActionIcon>
      <Text size="xs" c="dimmed">
        {t("conversation.branch", { here: here + 1, all: versions.length })}
      </Text>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t("conversation.nextBranch")} {...step(1)}>
        <IconChevronRight size="70%" aria-hidden />
      </ActionIcon>
    </Group>
  );
}
