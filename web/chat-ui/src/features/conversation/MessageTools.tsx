import { ActionIcon, Button, Group, Popover, Stack, Text, Textarea, Tooltip } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { compactCount, CopyButton, duration, ErrorNotice, exactCount, money, RelativeTime } from "@msil-mcp/ui";
import { IconRefresh, IconThumbDown, IconThumbDownFilled, IconThumbUp, IconThumbUpFilled } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useLocale } from "../../shared/i18n";
import { BranchSwitch } from "./BranchSwitch";
import classes from "./Message.module.css";
import type { ChatMessage } from "./model";

interface Props {
  message: ChatMessage;
  text: string;
  sessionId: string;
  versions: readonly string[] | undefined;
  onAgain?: () => void;
}

/** What one can do with an answer, and what it took. */
export function MessageTools({ message, text, sessionId, versions, onAgain }: Props) {
  const { t } = useTranslation();
  const locale = useLocale();
  const stored = message.metadata?.message;
  const run = message.metadata?.run;
  if (!stored) return null;
  const tokens = stored.input_tokens + stored.output_tokens;
  const exact = t("conversation.cost.exact", {
    prompt: exactCount(stored.input_tokens, locale),
    completion: exactCount(stored.output_tokens, locale),
    cached: exactCount(stored.cached_tokens, locale),
    first: run?.first_token_ms == null ? "–" : duration(run.first_token_ms),
  });
  return (
    <Group gap={4} className={classes["tools"]}>
      {text && <CopyButton value={text} label={t("conversation.copy")} />}
      {onAgain && (
        <Tooltip label={t("conversation.again")}>
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t("conversation.again")} onClick={onAgain}>
            <IconRefresh size="70%" aria-hidden />
          </ActionIcon>
        </Tooltip>
      )}
      <Feedback key={stored.rating ?? ""} messageId={stored.id} sessionId={sessionId} rating={stored.rating} comment={stored.comment} />
      <BranchSwitch sessionId={sessionId} messageId={stored.id} versions={versions} />
      <Text size="xs" c="dimmed" component="span">
        <RelativeTime at={stored.created_at} locale={locale} />
      </Text>
      {tokens > 0 && (
        <Tooltip label={exact}>
          <Text size="xs" c="dimmed" component="span" tabIndex={0}>
            · {t("conversation.cost.tokens", { count: tokens, tokens: compactCount(tokens, locale) })}
            {stored.cost_usd > 0 && ` · ${money(stored.cost_usd, locale)}`}
          </Text>
        </Tooltip>
      )}
    </Group>
  );
}

interface FeedbackProps {
  messageId: string;
  sessionId: string;
  rating: "up" | "down" | null;
  comment: string | null;
}

function Feedback({ messageId, sessionId, rating, comment }: FeedbackProps) {
  const { t } = useTranslation();
  const [given, setGiven] = useState(rating);
  const [words, setWords] = useState(comment ?? "");
  const [isOpen, setIsOpen] = useState(false);
  const rate = api.useMutation("put", "/api/chat/sessions/{session_id}/messages/{message_id}/feedback");
  const send = (next: "up" | "down" | null, said: string, then?: () => void) => {
    setGiven(next);
    rate.mutate(
      { params: { path: { session_id: sessionId, message_id: messageId } }, body: { rating: next, comment: said || null } },
      { ...(then ? { onSuccess: then } : {}), onError: () => setGiven(given) },
    );
  };
  const thumb = (side: "up" | "down") => {
    const isGiven = given === side;
    const Icon = side === "up" ? (isGiven ? IconThumbUpFilled : IconThumbUp) : isGiven ? IconThumbDownFilled : IconThumbDown;
    const label = t(side === "up" ? "conversation.good" : "conversation.bad");
    return (
      <Tooltip label={label}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={label}
          aria-pressed={isGiven}
          disabled={rate.isPending}
          onClick={() => {
            send(isGiven ? null : side, words);
            setIsOpen(!isGiven);
          }}
        >
          <Icon size="70%" aria-hidden />
        </ActionIcon>
      </Tooltip>
    );
  };
  return (
    <Popover opened={isOpen} onChange={setIsOpen} position="top-start" trapFocus returnFocus withinPortal withRoles={false}>
      <Popover.Target>
        <Group gap={4}>
          {thumb("up")}
          {thumb("down")}
        </Group>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs" w={260}>
          <Textarea
            label={t("conversation.comment")}
            autosize
            minRows={2}
            maxLength={2000}
            value={words}
            onChange={(event) => setWords(event.currentTarget.value)}
          />
          {rate.error && <ErrorNotice error={rate.error} />}
          <Button size="compact-sm" loading={rate.isPending} onClick={() => send(given, words.trim(), () => setIsOpen(false))}>
            {t("conversation.sendComment")}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
