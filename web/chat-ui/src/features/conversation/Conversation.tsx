import { Button, Center, Loader, Text } from "@mantine/core";
import { useCallbackRef } from "@mantine/hooks";
import { api, asApiError } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Composer, type ComposerHandle } from "../../shared/Composer";
import { AssistantMessage } from "./AssistantMessage";
import classes from "./Conversation.module.css";
import { inGroups } from "./history";
import type { ChatMessage } from "./model";
import { NotSent } from "./transport";
import { UserMessage } from "./UserMessage";
import { type Activity, useThread } from "./useThread";

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
}

const GONE = 404;

export function Conversation({ sessionId, firstWords, onFirstWordsSaid }: Props) {
  const { t } = useTranslation();
  const thread = useThread(sessionId);
  const { messages, activity, isBusy, history, detail } = thread;
  const { scroller, column, onScroll, leaveEnd } = useFollowedEnd(messages);
  const composer = useRef<ComposerHandle>(null);
  const groups = useMemo(() => inGroups(messages), [messages]);
  const versions = useVersions(sessionId, messages.length > 0);

  const [isGivenBack, setIsGivenBack] = useState(false);
  /** What the server would not have is written down again. */
  const kept = async (turn: Promise<boolean>, text: string) => {
    setIsGivenBack(false);
    if (await turn) return true;
    composer.current?.giveBack(text);
    setIsGivenBack(true);
    return false;
  };
  const say = useCallbackRef((text: string, how?: { id?: string }) => kept(thread.say(text, how), text));
  const edit = useCallbackRef((message: ChatMessage, text: string) => {
    if (isBusy) return false;
    void kept(thread.sayInstead(message, text), text);
    return true;
  });
  const pick = useCallbackRef((text: string) => void say(text));
  const again = useCallbackRef((message: ChatMessage) => void thread.again(message));
  const toComposer = useCallbackRef(() => composer.current?.focus());

  const retry = () => {
    thread.clearError();
    void thread.refresh();
  };

  const isReady = history.isSuccess && detail.isSuccess;
  const isFresh = isReady && messages.length === 0 && detail.data.active_run === null && history.data.pages[0]?.items.length === 0;
  const said = useRef<string>(undefined);
  useEffect(() => {
    if (!isFresh || !firstWords || said.current === firstWords.clientId) return;
    said.current = firstWords.clientId;
    void say(firstWords.text, { id: firstWords.clientId }).then((isKept) => isKept && onFirstWordsSaid?.());
  }, [isFresh, firstWords, say, onFirstWordsSaid]);

  if (detail.error && (!detail.data || asApiError(detail.error).status === GONE)) {
    return (
      <div className={classes["column"]} style={{ paddingBlock: 24 }}>
        <ErrorNotice error={detail.error} onRetry={() => void detail.refetch()} />
      </div>
    );
  }
  return (
    <div className={classes["page"]} data-busy={isBusy || undefined}>
      <div className={classes["scroller"]} ref={scroller} onScroll={onScroll}>
        <div
          ref={column}
          className={`${classes["column"] ?? ""} ${classes["messages"] ?? ""}`}
          role="log"
          aria-label={t("conversation.log")}
          aria-live="off"
        >
          {history.hasNextPage && (
            <Center>
              <Button
                variant="subtle"
                size="compact-sm"
                loading={history.isFetchingNextPage}
                onClick={() => {
                  leaveEnd();
                  void history.fetchNextPage();
                }}
              >
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
          {groups.map((group) => (
            <div key={group.key} className={classes["group"]}>
              {group.messages.map((message) => {
                const isLast = message === messages.at(-1);
                const others = versions.get(message.metadata?.message.parent_id ?? null);
                return message.role === "user" ? (
                  <UserMessage key={message.id} message={message} sessionId={sessionId} versions={others} onEdit={edit} />
                ) : (
                  <AssistantMessage
                    key={message.id}
                    message={message}
                    sessionId={sessionId}
                    activity={isLast ? activity : "idle"}
                    isLast={isLast}
                    versions={others}
                    onSay={pick}
                    onDecided={toComposer}
                    onAgain={again}
                  />
                );
              })}
            </div>
          ))}
          {(isBusy || activity === "unsent") && messages.at(-1)?.role === "user" && (
            <Text size="sm" c="dimmed">
              {t(activity === "unsent" ? "conversation.activity.unsent" : "conversation.activity.thinking")}
            </Text>
          )}
          {thread.error && <Refusal error={thread.error} isGivenBack={isGivenBack} onRetry={retry} />}
        </div>
      </div>
      <Spoken messages={messages} activity={activity} />
      <div className={`${classes["column"] ?? ""} ${classes["composer"] ?? ""}`}>
        <Composer
          key={sessionId}
          draft={sessionId}
          handle={composer}
          autoFocus
          isBusy={(isBusy && activity !== "asking") || activity === "unsent"}
          onSay={pick}
          onStop={isBusy && activity !== "asking" && activity !== "unsent" ? () => void thread.stop() : undefined}
        />
      </div>
    </div>
  );
}

/** Why a turn was not begun, or its answer cannot be followed. */
function Refusal({ error, isGivenBack, onRetry }: { error: Error; isGivenBack: boolean; onRetry: () => void }) {
  const { t } = useTranslation();
  if (!(error instanceof NotSent)) return <ErrorNotice error={error} onRetry={onRetry} />;
  return (
    <>
      <ErrorNotice error={error.why} />
      {isGivenBack && (
        <Text size="sm" c="dimmed">
          {t("conversation.notSent")}
        </Text>
      )}
    </>
  );
}

const NO_VERSIONS: ReadonlyMap<string | null, readonly string[]> = new Map();

/** The versions that follow a message, by its id; for the first message, by null. */
function useVersions(sessionId: string, hasMessages: boolean): ReadonlyMap<string | null, readonly string[]> {
  const path = { session_id: sessionId };
  const { data } = api.useQuery(
    "get",
    "/api/chat/sessions/{session_id}/branches",
    { params: { path } },
    { staleTime: Infinity, enabled: hasMessages },
  );
  return useMemo(() => (data ? new Map(data.forks.map((fork) => [fork.parent_id, fork.children])) : NO_VERSIONS), [data]);
}

const ANNOUNCED = 300;

/** Tells who does not see it what goes on, and how the answer begins; an old conversation is left unsaid. */
function Spoken({ messages, activity }: { messages: readonly ChatMessage[]; activity: Activity }) {
  const { t } = useTranslation();
  const [hasBegun, setHasBegun] = useState(false);
  if (activity !== "idle" && !hasBegun) setHasBegun(true);
  const words = activity === "idle" ? (hasBegun ? lastWords(messages) : "") : t(`conversation.activity.${activity}`);
  return (
    <div className="msil-visually-hidden" role="status" aria-live="polite">
      {words}
    </div>
  );
}

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
  const isNear = useRef(true);
  const onScroll = () => {
    const box = scroller.current;
    if (box) isNear.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PIXELS;
  };
  const leaveEnd = () => {
    isNear.current = false;
  };
  const toEnd = useCallbackRef(() => {
    const box = scroller.current;
    if (box && isNear.current) box.scrollTop = box.scrollHeight;
  });
  const last = messages.at(-1);
  const lastSaid = last?.role === "user" ? last.id : undefined;
  useEffect(() => {
    if (lastSaid === undefined) return;
    isNear.current = true;
    toEnd();
  }, [lastSaid, toEnd]);
  // What grows by itself moves the end, too: words that arrive, formatting, and what comes into sight.
  const column = useCallback(
    (content: HTMLDivElement | null) => {
      if (!content) return;
      const sizes = new ResizeObserver(toEnd);
      sizes.observe(content);
      return () => sizes.disconnect();
    },
    [toEnd],
  );
  return { scroller, column, onScroll, leaveEnd };
}
