import { ActionIcon, Group, Textarea, Tooltip } from "@mantine/core";
import { IconArrowUp, IconPlayerStopFilled } from "@tabler/icons-react";
import { type KeyboardEvent, type RefObject, useState } from "react";
import { useTranslation } from "react-i18next";

interface Props {
  onSay: (text: string) => void;
  onStop?: (() => void) | undefined;
  /** While an answer is made nothing can be said, unless it waits for a person. */
  isBusy?: boolean;
  autoFocus?: boolean;
  inputRef?: RefObject<HTMLTextAreaElement | null>;
}

const LONGEST = 100_000;

/** Enter says it, Shift+Enter begins a new line. */
export function Composer({ onSay, onStop, isBusy = false, autoFocus = false, inputRef }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const canSay = !isBusy && text.trim() !== "";
  const say = () => {
    if (!canSay) return;
    onSay(text.trim());
    setText("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    say();
  };
  return (
    <Group gap="xs" align="flex-end" wrap="nowrap">
      <Textarea
        ref={inputRef ?? null}
        flex={1}
        size="md"
        radius="lg"
        autosize
        minRows={1}
        maxRows={8}
        maxLength={LONGEST}
        data-autofocus={autoFocus || undefined}
        autoFocus={autoFocus}
        aria-label={t("conversation.say")}
        placeholder={t("conversation.placeholder")}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {onStop ? (
        <Tooltip label={t("conversation.stop")}>
          <ActionIcon size={42} radius="lg" variant="default" aria-label={t("conversation.stop")} onClick={onStop}>
            <IconPlayerStopFilled size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
      ) : (
        <Tooltip label={t("conversation.send")}>
          <ActionIcon size={42} radius="lg" aria-label={t("conversation.send")} disabled={!canSay} onClick={say}>
            <IconArrowUp size={20} aria-hidden />
          </ActionIcon>
        </Tooltip>
      )}
    </Group>
  );
}
