import { Button, Center, Loader, Text } from "@mantine/core";
import { asApiError } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Composer } from "../../shared/Composer";
import { AssistantMessage } from "./AssistantMessage";
import classes from "./Conversation.module.css";
import type { ChatMessage } from "./model";
import { UserMessage } from "./UserMessage";
import { useThread } from "./useThread";

/** The first words of a new conversation, said once however often the page is loaded. */
export interface FirstWords {
  text: string;
  clientId: string;
}

interface Props {
  sessionId: string;
  firstWords?: FirstWords | undefined;
  /** Told once the first words are stored, so that they need not be kept. */
  onFirstWordsSaid?: () => void;
  header?: ReactNode;
}

export function Conversation({ sessionId, firstWords, onFirstWordsSaid, header }: Props) {
  const { t } = useTranslation();
  const thread = useThread(sessionId);
  const { messages, activity, isBusy, chat, history, detail } = thread;
  const { scroller, end, onScroll } = useFollowedEnd(messages);
  const composer = useRef<HTMLTextAreaElement>(null);

  const isReady = history.isSuccess && detail.isSuccess;
  const isFresh = isReady && messages.length === 0 && detail.data.active_run === null && history.data.pages[0]?.items.length === 0;
  const said = useRef<string>(undefined);
  useEffect(() => {
    if (!isFresh || !firstWords || said.current === firstWords.clientId) return;
    said.current = firstWords.clientId;
    const { text, clientId } = firstWords;
    void chat.sendMessage({ id: clientId, role: "user", parts: [{ type: "text", text }] } as never).then(onFirstWordsSaid);
  }, [isFresh, firstWords, chat, onFirstWordsSaid]);

  const say = async (text: string) => {
    // A question that waits gives way to what is said instead.
    if (isBusy) await chat.stop();
    await chat.sendMessage({ text });
  };
  const edit = async (message: ChatMessage, text: string) => {
    chat.setMessages(messages.slice(0, messages.indexOf(message)));
    await chat.sendMessage({ text }, { body: { edit_id: message.id } });
  };
  const again = (message: ChatMessage) => chat.regenerate({ messageId: message.id, body: { again_id: message.id } });

  if (detail.error) {
    return (
      <div className={classes["column"]} style={{ paddingBlock: 24 }}>
        <ErrorNotice error={detail.error} onRetry={() => void detail.refetch()} />
      </div>
    );
  }
  return (
    <div className={classes["page"]}>
      {header}
      <div className={classes["scroller"]} ref={scroller} onScroll={onScroll}>
        <div className={`${classes["column"] ?? ""} ${classes["messages"] ?? ""}`} role="log" aria-label={t("conversation.log")} aria-live="off">
          {history.hasNextPage && (
            <Center>
              <Button variant="subtle" size="compact-sm" loading={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
                {t("conversation.earlier")}
              </Button>
            </Center>
          )}
          {detail.data?.summary && (
            <Text size="xs" c="dimmed" ta="center">
              {t("conversation.summarised")}
            </Text>
          )}
          {!isReady && !history.error && (
            <Center py="xl">
              <Loader aria-label={t("conversation.loading")} />
            </Center>
          )}
          {history.error && <ErrorNotice error={history.error} onRetry={() => void history.refetch()} />}
          {messages.map((message, index) => {
            const isLast = index === messages.length - 1;
            return message.role === "user" ? (
              <UserMessage
                key={message.id}
                message={message}
                sessionId={sessionId}
                canEdit={!isBusy}
                onEdit={(text) => void edit(message, text)}
              />
            ) : (
              <AssistantMessage
                key={message.id}
                message={message}
                sessionId={sessionId}
                activity={isLast ? activity : "idle"}
                isLast={isLast}
                onSay={(text) => void say(text)}
                onDecided={() => composer.current?.focus()}
                onAgain={() => void again(message)}
              />
            );
          })}
          {isBusy && messages.at(-1)?.role === "user" && (
            <Text size="sm" c="dimmed">
              {t("conversation.activity.thinking")}
            </Text>
          )}
          {thread.error && (
            <ErrorNotice
              error={asApiError(thread.error)}
              onRetry={() => {
                chat.clearError();
                void thread.refresh();
              }}
            />
          )}
          <div ref={end} />
        </div>
      </div>
      <div className="msil-visually-hidden" role="status" aria-live="polite">
        {activity === "idle" ? lastWords(messages) : t(`conversation.activity.${activity}`)}
      </div>
      <div className={`${classes["column"] ?? ""} ${classes["composer"] ?? ""}`}>
        <Composer
          key={sessionId}
          inputRef={composer}
          autoFocus
          isBusy={isBusy && activity !== "asking"}
          onSay={(text) => void say(text)}
          onStop={isBusy && activity !== "asking" ? () => void thread.stop() : undefined}
        />
      </div>
    </div>
  );
}

const ANNOUNCED = 300;

function lastWords(messages: readonly ChatMessage[]): string {
  const last = messages.at(-1);
  if (last?.role !== "assistant") return "";
  const text = last.parts.map((part) => (part.type === "text" ? part.text : "")).join(" ");
  return text.slice(0, ANNOUNCED);
}

const NEAR_PIXELS = 80;

/** Keeps the newest words in sight, unless the reader has scrolled away from them. */
function useFollowedEnd(messages: readonly ChatMessage[]) {
  const scroller = useRef<HTMLDivElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const isNear = useRef(true);
  const onScroll = () => {
    const box = scroller.current;
    if (box) isNear.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PIXELS;
  };
  const lastRole = messages.at(-1)?.role;
  useEffect(() => {
    if (lastRole === "user") isNear.current = true;
  }, [lastRole, messages.length]);
  useEffect(() => {
    if (isNear.current) end.current?.scrollIntoView({ block: "end" });
  }, [messages]);
  return { scroller, end, onScroll };
}
