import { Badge, Collapse, Loader, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { duration, Json } from "@msil-mcp/ui";
import { IconAlertTriangle, IconCheck, IconChevronDown, IconChevronUp, IconPlayerStop } from "@tabler/icons-react";
import type { DynamicToolUIPart, ToolUIPart } from "ai";
import { useId } from "react";
import { useTranslation } from "react-i18next";

import classes from "./Message.module.css";
import { inWords, plain } from "./plain";

interface Props {
  part: ToolUIPart | DynamicToolUIPart;
  name: string;
  /** Milliseconds, once known. */
  took: number | undefined;
  /** Whether the answer it belongs to is still being made. */
  isLive: boolean;
  isAsked: boolean;
}

/** One line a call: what it does, how it stands, how long it took; open for what was sent and came back. */
export function ToolLine({ part, name, took, isLive, isAsked }: Props) {
  const { t } = useTranslation();
  const [isOpen, { toggle }] = useDisclosure(false);
  const detail = useId();
  const state = stateOf(part, { isLive, isAsked });
  return (
    <div className={classes["tool"]}>
      <UnstyledButton className={classes["toolLine"]} onClick={toggle} aria-expanded={isOpen} aria-controls={detail}>
        <StateMark state={state} />
        <span className={classes["toolName"]}>{inWords(name)}</span>
        {took !== undefined && (
          <Text size="xs" c="dimmed" component="span">
            {duration(took)}
          </Text>
        )}
        <Badge variant="light" color={COLOURS[state]} tt="none">
          {t(`conversation.tool.${state}`)}
        </Badge>
        {isOpen ? <IconChevronUp size={16} aria-hidden /> : <IconChevronDown size={16} aria-hidden />}
      </UnstyledButton>
      <Collapse expanded={isOpen} id={detail}>
        <div className={classes["toolDetail"]}>
          <Text size="xs" c="dimmed">
            {t("conversation.tool.arguments")}
          </Text>
          <Json value={part.input ?? {}} label={t("conversation.tool.arguments")} />
          {part.state === "output-available" && (
            <>
              <Text size="xs" c="dimmed" mt="xs">
                {t("conversation.tool.result")}
              </Text>
              <Json value={part.output} label={t("conversation.tool.result")} />
            </>
          )}
          {part.state === "output-error" && (
            <Text size="sm" mt="xs">
              {plain(part.errorText)}
            </Text>
          )}
        </div>
      </Collapse>
    </div>
  );
}

type State = "running" | "done" | "failed" | "denied" | "asked" | "stopped";

const COLOURS: Record<State, string> = {
  running: "blue",
  done: "green",
  failed: "danger",
  denied: "gray",
  asked: "yellow",
  stopped: "gray",
};

function stateOf(part: Props["part"], { isLive, isAsked }: { isLive: boolean; isAsked: boolean }): State {
  if (part.state === "output-available") return "done";
  if (part.state === "output-denied") return "denied";
  if (part.state === "output-error") return "failed";
  if (isAsked) return "asked";
  return isLive ? "running" : "stopped";
}

function StateMark({ state }: { state: State }) {
  if (state === "running") return <Loader size={14} aria-hidden />;
  if (state === "done") return <IconCheck size={16} color="var(--mantine-color-green-text)" aria-hidden />;
  if (state === "failed") return <IconAlertTriangle size={16} color="var(--mantine-color-danger-text)" aria-hidden />;
  return <IconPlayerStop size={16} color="var(--mantine-color-dimmed)" aria-hidden />;
}
