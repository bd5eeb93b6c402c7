import { ActionIcon, Group, Textarea } from "@mantine/core";
import { IconArrowUp, IconPlayerStopFilled } from "@tabler/icons-react";
import { type KeyboardEvent, type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import classes from "./Composer.module.css";

export interface ComposerHandle {
  focus: () => void;
  /** Puts back what could not be sent, before anything written since. */
  giveBack: (text: string) => void;
}

interface Props {
  onSay: (text: string) => void;
  onStop?: (() => void) | undefined;
  /** While an answer is made nothing can be said, unless it waits for a person. */
  isBusy?: boolean;
  autoFocus?: boolean;
  /** By this name what is written is kept while the tab is open; without it nothing is. */
  draft?: string;
  handle?: Ref<ComposerHandle>;
}

const LONGEST = 100_000;
// Measuring a copy of the text, as others do, lays out the whole page at every letter.
const growsByItself = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

/** Enter says it, Shift+Enter begins a new line. */
export function Composer({ onSay, onStop, isBusy = false, autoFocus = false, draft, handle }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useDraft(draft);
  const field = useRef<HTMLTextAreaElement>(null);
  useImperativeHandle(
    handle,
    () => ({
      focus: () => field.current?.focus(),
      giveBack: (back) => setText((now) => (now.trim() === "" ? back : `${back}\n${now}`)),
    }),
    [setText],
  );
  const canSay = !isBusy && text.trim() !== "";
  const say = () => {
    if (!canSay) return;
    setText("");
    onSay(text.trim());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    say();
  };
  const [label, Icon, act] = onStop ? [t("conversation.stop"), IconPlayerStopFilled, onStop] : [t("conversation.send"), IconArrowUp, say];
  return (
    <Group gap="xs" align="flex-end" wrap="nowrap">
      <Textarea
        ref={field}
        flex={1}
        size="md"
        radius="lg"
        {...(growsByItself ? { rows: 1, classNames: { input: classes["field"] ?? "" } } : { autosize: true, minRows: 1, maxRows: 8 })}
        maxLength={LONGEST}
        data-autofocus={autoFocus || undefined}
        autoFocus={autoFocus}
        aria-label={t("conversation.say")}
        placeholder={t("conversation.placeholder")}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <ActionIcon
        key={onStop ? "stop" : "send"}
        size={42}
        radius="lg"
        variant={onStop ? "default" : "filled"}
        aria-label={label}
        title={label}
        disabled={!onStop && !canSay}
        onClick={act}
      >
        <Icon size={19} aria-hidden />
      </ActionIcon>
    </Group>
  );
}

/** Text that is still there after another conversation was looked at, a reload, or a new sign-in. */
function useDraft(name: string | undefined) {
  const key = name === undefined ? undefined : `msil-draft-${name}`;
  const [text, setText] = useState(() => (key === undefined ? "" : (sessionStorage.getItem(key) ?? "")));
  useEffect(() => {
    if (key === undefined) return;
    if (text === "") sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  }, [key, text]);
  return [text, setText] as const;
}
