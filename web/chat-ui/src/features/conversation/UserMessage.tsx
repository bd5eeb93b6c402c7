import { ActionIcon, Button, Group, Stack, Textarea, Tooltip } from "@mantine/core";
import { CopyButton } from "@msil-mcp/ui";
import { IconPencil } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { BranchSwitch } from "./BranchSwitch";
import classes from "./Message.module.css";
import type { ChatMessage } from "./model";
import { plain } from "./plain";

interface Props {
  message: ChatMessage;
  sessionId: string;
  canEdit: boolean;
  onEdit: (text: string) => void;
}

export function UserMessage({ message, sessionId, canEdit, onEdit }: Props) {
  const { t } = useTranslation();
  const said = message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
  const [text, setText] = useState<string>();
  const stored = message.metadata?.message;
  if (text !== undefined) {
    const save = () => {
      onEdit(text.trim());
      setText(undefined);
    };
    return (
      <Stack gap="xs" className={classes["row"]}>
        <Textarea
          aria-label={t("conversation.edit")}
          autosize
          autoFocus
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") setText(undefined);
          }}
        />
        <Group justify="flex-end" gap="xs">
          <Button size="compact-sm" variant="default" onClick={() => setText(undefined)}>
            {t("common.cancel")}
          </Button>
          <Button size="compact-sm" disabled={text.trim() === ""} onClick={save}>
            {t("conversation.sendAgain")}
          </Button>
        </Group>
      </Stack>
    );
  }
  return (
    <article className={classes["row"]} aria-label={t("conversation.you")}>
      <div className={classes["said"]}>{plain(said)}</div>
      <Group gap={4} justify="flex-end" className={classes["tools"]}>
        <CopyButton value={said} label={t("conversation.copy")} copied={t("conversation.copied")} />
        {canEdit && stored && (
          <Tooltip label={t("conversation.edit")}>
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t("conversation.edit")} onClick={() => setText(said)}>
              <IconPencil size="70%" aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
        {stored && <BranchSwitch sessionId={sessionId} parentId={stored.parent_id} messageId={stored.id} />}
      </Group>
    </article>
  );
}
