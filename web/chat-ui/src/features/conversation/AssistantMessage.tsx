import { Alert, Button, Group, Loader, Text } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import { getToolName, isToolUIPart } from "ai";
import { lazy, memo, Suspense } from "react";
import { useTranslation } from "react-i18next";

import { Confirmation } from "./Confirmation";
import classes from "./Message.module.css";
import { MessageTools } from "./MessageTools";
import type { ChatMessage } from "./model";
import { plain } from "./plain";
import { ResultCard } from "./ResultCards";
import { bookingIn } from "./shapes";
import { ToolLine } from "./ToolLine";
import type { Activity } from "./useThread";

function Unformatted({ text }: { text: string }) {
  return <Text style={{ whiteSpace: "pre-wrap" }}>{text}</Text>;
}

// An answer can be read without its formatting, too.
const Markdown = lazy(() => import("./Markdown").catch(() => ({ default: Unformatted })));

interface Props {
  message: ChatMessage;
  sessionId: string;
  /** What goes on in this message now; idle when it is finished. */
  activity: Activity;
  isLast: boolean;
  versions: readonly string[] | undefined;
  // Stable, all of them.
  onSay: (text: string) => void;
  onDecided: () => void;
  onAgain: (message: ChatMessage) => void;
}

/** Memoised: while an answer is written, the other messages stay as they are. */
export const AssistantMessage = memo(function AssistantMessage(props: Props) {
  const { message, sessionId, activity, isLast, versions, onSay, onDecided, onAgain } = props;
  const { t } = useTranslation();
  const isLive = activity !== "idle";
  const isOpen = isLast && !isLive;
  const durations = message.metadata?.durations ?? {};
  const asked = new Set(
    message.parts.flatMap((part) => (part.type === "data-approval" && part.data.state === "pending" ? [part.data.call_id] : [])),
  );
  const text = message.parts.map((part) => (part.type === "text" ? part.text : "")).join("\n\n").trim();
  return (
    <article className={classes["row"]} aria-label={t("conversation.assistant")} aria-busy={isLive}>
      {message.parts.map((part, index) => {
        if (part.type === "text") {
          const shown = plain(part.text);
          return (
            <Suspense key={index} fallback={<Unformatted text={shown} />}>
              <Markdown text={shown} />
            </Suspense>
          );
        }
        if (part.type === "data-approval") {
          return <Confirmation key={part.data.approval_id} card={part.data} sessionId={sessionId} onDecided={onDecided} />;
        }
        if (isToolUIPart(part)) {
          return (
            <div key={part.toolCallId} className={classes["row"]}>
              <ToolLine
                part={part}
                name={getToolName(part)}
                took={durations[part.toolCallId]}
                isLive={isLive}
                isAsked={asked.has(part.toolCallId)}
              />
              {part.state === "output-available" && !isSaidAgain(message, index) && <ResultCard output={part.output} onPick={isOpen ? onSay : undefined} />}
            </div>
          );
        }
        return null;
      })}
      {(activity === "thinking" || activity === "offline") && (
        <Group gap="xs">
          <Loader size="xs" type="dots" aria-hidden />
          <Text size="sm" c="dimmed">
            {t(`conversation.activity.${activity}`)}
          </Text>
        </Group>
      )}
      {!isLive && <HowItEnded message={message} onAgain={isLast ? () => onAgain(message) : undefined} />}
      {!isLive && message.metadata && (
        <MessageTools
          message={message}
          text={text}
          sessionId={sessionId}
          versions={versions}
          {...(isLast ? { onAgain: () => onAgain(message) } : {})}
        />
      )}
    </article>
  );
});

/** Whether a later call of the same answer shows the same booking, so that there is one card of it. */
function isSaidAgain(message: ChatMessage, index: number): boolean {
  const bookingOf = (part: ChatMessage["parts"][number]) =>
    isToolUIPart(part) && part.state === "output-available" ? bookingIn(part.output)?.booking_id : undefined;
  const part = message.parts[index];
  const booking = part && bookingOf(part);
  return booking !== undefined && message.parts.slice(index + 1).some((later) => bookingOf(later) === booking);
}

/** Says so when an answer is not whole, and offers to ask again. */
function HowItEnded({ message, onAgain }: { message: ChatMessage; onAgain: (() => void) | undefined }) {
  const { t } = useTranslation();
  const { run, message: stored } = message.metadata ?? {};
  if (!stored || (stored.status === "complete" && !run?.limit_hit && run?.state !== "failed")) return null;
  if (stored.status === "stopped") {
    return (
      <Text size="sm" c="dimmed">
        {t("conversation.ended.stopped")}
      </Text>
    );
  }
  const why = run?.limit_hit ? t("conversation.ended.limit") : run?.error;
  return (
    <Alert variant="light" color="yellow" icon={<IconAlertTriangle aria-hidden />}>
      <Group justify="space-between">
        <Text size="sm">
          {t(stored.status === "interrupted" ? "conversation.ended.interrupted" : "conversation.ended.failed")} {why && plain(why)}
        </Text>
        {onAgain && (
          <Button size="compact-sm" variant="default" leftSection={<IconRefresh size={14} aria-hidden />} onClick={onAgain}>
            {t("common.retry")}
          </Button>
        )}
      </Group>
    </Alert>
  );
}
