import { ActionIcon, Button, Group, Stack, Textarea, Tooltip } from "@mantine/core";
import { CopyButton } from "@msil-mcp/ui";
import { IconPencil } from "@tabler/icons-react";
import { memo, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { BranchSwitch } from "./BranchSwitch";
import classes from "./Message.module.css";
import type { ChatMessage } from "./model";
import { plain } from "./plain";

interface Props {
  message: ChatMessage;
  sessionId: string;
  versions: readonly string[] | undefined;
  /** Says the text instead of the message; false where that cannot be now. Stable. */
  onEdit: (message: ChatMessage, text: string) => boolean;
}

const LONGEST = 100_000;

/** Memoised: while an answer is written, the other messages stay as they are. */
export const UserMessage = memo(function UserMessage({ message, sessionId, versions, onEdit }: Props) {
  const { t } = useTranslation();
  const said = message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
  const [isEdited, setIsEdited] = useState(false);
  const pencil = useRef<HTMLButtonElement>(null);
  const wasEdited = useRef(false);
  useEffect(() => {
    if (wasEdited.current && !isEdited) pencil.current?.focus();
    wasEdited.current = isEdited;
  }, [isEdited]);
  const stored = message.metadata?.message;
  if (isEdited) {
    const save = (text: string) => {
      if (onEdit(message, text)) setIsEdited(false);
    };
    return <Editor said={said} onSave={save} onCancel={() => setIsEdited(false)} />;
  }
  return (
    <article className={classes["row"]} aria-label={t("conversation.you")}>
      <div className={classes["said"]}>{plain(said)}</div>
      <Group gap={4} justify="flex-end" className={classes["tools"]}>
        <CopyButton value={said} label={t("conversation.copy")} />
        {stored && (
          <Tooltip label={t("conversation.edit")}>
            <ActionIcon
              ref={pencil}
              className={classes["idle"]}
              variant="subtle"
              color="gray"
              size="sm"
              aria-label={t("conversation.edit")}
              onClick={() => setIsEdited(true)}
            >
              <IconPencil size="70%" aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
        {stored && <BranchSwitch sessionId={sessionId} messageId={stored.id} versions={versions} />}
      </Group>
    </article>
  );
});

function Editor({ said, onSave, onCancel }: { said: string; onSave: (text: string) => void; onCancel: () => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(said);
  return (
    <Stack gap="xs" className={classes["row"]}>
      <Textarea
        aria-label={t("conversation.edit")}
        autosize
        autoFocus
        maxLength={LONGEST}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onCancel();
        }}
      />
      <Group justify="flex-end" gap="xs">
        <Button size="compact-sm" variant="default" onClick={onCancel}>
          {t("common.cancel")}
        </Button>
        <Button size="compact-sm" className={classes["idle"]} disabled={text.trim() === ""} onClick={() => onSave(text.trim())}>
          {t("conversation.sendAgain")}
        </Button>
      </Group>
    </Stack>
  );
}
