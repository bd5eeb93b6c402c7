import { ActionIcon, Group, Text } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

interface Props {
  sessionId: string;
  parentId: string | null;
  messageId: string;
}

/** "2 of 3", where a conversation was continued in several ways. */
export function BranchSwitch({ sessionId, parentId, messageId }: Props) {
  const { t } = useTranslation();
  const cache = useQueryClient();
  const path = { session_id: sessionId };
  const branches = api.useQuery("get", "/api/chat/sessions/{session_id}/branches", { params: { path } }, { staleTime: Infinity });
  const choose = api.useMutation("put", "/api/chat/sessions/{session_id}/branches/{message_id}", {
    onSuccess: () => cache.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[1]).startsWith("/api/chat/sessions/{session_id}") }),
  });
  const fork = branches.data?.forks.find((one) => one.parent_id === parentId);
  const here = fork?.children.indexOf(messageId) ?? -1;
  if (!fork || here < 0 || fork.children.length < 2) return null;
  const step = (by: -1 | 1) => {
    const target = fork.children[here + by];
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
        {t("conversation.branch", { here: here + 1, all: fork.children.length })}
      </Text>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t("conversation.nextBranch")} {...step(1)}>
        <IconChevronRight size="70%" aria-hidden />
      </ActionIcon>
    </Group>
  );
}
