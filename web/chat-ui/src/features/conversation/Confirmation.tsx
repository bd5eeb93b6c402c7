import { Alert, Button, Collapse, Group, Stack, Text, Textarea, TextInput, Title, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api } from "@msil-mcp/api";
import { ErrorNotice, Json } from "@msil-mcp/ui";
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import { useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import classes from "./Message.module.css";
import type { ApprovalCard } from "./model";
import { inWords, plain } from "./plain";

interface Props {
  card: ApprovalCard;
  sessionId: string;
  onDecided: () => void;
}

/** What will happen, exactly; nothing happens until a person decides here. */
export function Confirmation({ card, sessionId, onDecided }: Props) {
  const { t } = useTranslation();
  const heading = useId();
  const [mode, setMode] = useState<"ask" | "edit" | "decline">("ask");
  const approve = useRef<HTMLButtonElement>(null);
  const before = useRef(mode);
  useEffect(() => {
    // What had the focus is gone with what was left.
    if (mode === "ask" && before.current !== "ask") approve.current?.focus();
    before.current = mode;
  }, [mode]);
  const [isOpen, { toggle }] = useDisclosure(false);
  const decision = api.useMutation("post", "/api/chat/sessions/{session_id}/approvals/{approval_id}/decision", {
    onSuccess: onDecided,
  });
  const decide = (body: { decision: "approve" | "edit" | "decline"; arguments?: Record<string, unknown>; reason?: string }) =>
    decision.mutate({ params: { path: { session_id: sessionId, approval_id: card.approval_id } }, body });

  if (card.state !== "pending") {
    return (
      <Text size="sm" c="dimmed">
        {t(`conversation.confirm.state.${card.state}`)} {plain(card.sentence)}
      </Text>
    );
  }
  return (
    <section className={classes["confirmation"]} aria-labelledby={heading}>
      <Stack gap="sm">
        <Title order={2} size="h5" id={heading} role="alert">
          {t("conversation.confirm.title")}
        </Title>
        <Text>{plain(card.sentence)}</Text>
        {mode === "edit" ? (
          <EditFields
            values={card.arguments}
            isSaving={decision.isPending}
            onCancel={() => setMode("ask")}
            onSave={(values) => decide({ decision: "edit", arguments: values })}
          />
        ) : (
          <Fields values={card.arguments} />
        )}
        <div>
          <UnstyledButton onClick={toggle} aria-expanded={isOpen} fz="sm" c="dimmed">
            <Group gap={4}>
              {t("conversation.confirm.request")}
              {isOpen ? <IconChevronUp size={14} aria-hidden /> : <IconChevronDown size={14} aria-hidden />}
            </Group>
          </UnstyledButton>
          <Collapse expanded={isOpen}>
            <Json
              value={{ method: card.method, url: card.url, arguments: card.arguments }}
              label={t("conversation.confirm.request")}
            />
          </Collapse>
        </div>
        {decision.error && <ErrorNotice error={decision.error} />}
        {mode === "ask" && (
          <Group>
            <Button ref={approve} loading={decision.isPending} onClick={() => decide({ decision: "approve" })}>
              {t("conversation.confirm.approve")}
            </Button>
            <Button variant="default" disabled={decision.isPending} onClick={() => setMode("edit")}>
              {t("conversation.confirm.edit")}
            </Button>
            <Button variant="subtle" color="gray" c="var(--mantine-color-text)" disabled={decision.isPending} onClick={() => setMode("decline")}>
              {t("conversation.confirm.decline")}
            </Button>
          </Group>
        )}
        {mode === "decline" && (
          <DeclineReason
            isSending={decision.isPending}
            onCancel={() => setMode("ask")}
            onDecline={(reason) => decide(reason ? { decision: "decline", reason } : { decision: "decline" })}
          />
        )}
      </Stack>
    </section>
  );
}

function Fields({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className={classes["fields"]}>
      {Object.entries(values).map(([name, value]) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{inWords(name)}</dt>
          <dd>{shown(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function shown(value: unknown): string {
  return plain(typeof value === "string" ? value : JSON.stringify(value));
}

interface EditProps {
  values: Record<string, unknown>;
  isSaving: boolean;
  onCancel: () => void;
  onSave: (values: Record<string, unknown>) => void;
}

/** Text stays text; anything else is edited as JSON. A change asks again, with what it became. */
function EditFields({ values, isSaving, onCancel, onSave }: EditProps) {
  const { t } = useTranslation();
  const [texts, setTexts] = useState(() =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])),
  );
  const [wrong, setWrong] = useState<string>();
  const save = () => {
    const edited: Record<string, unknown> = {};
    for (const [name, text] of Object.entries(texts)) {
      try {
        edited[name] = typeof values[name] === "string" ? text : (JSON.parse(text) as unknown);
      } catch {
        setWrong(name);
        return;
      }
    }
    onSave(edited);
  };
  return (
    <Stack gap="xs">
      <Alert variant="light" color="gray" p="xs">
        {t("conversation.confirm.editHint")}
      </Alert>
      {Object.entries(texts).map(([name, text], index) => (
        <TextInput
          key={name}
          autoFocus={index === 0}
          label={inWords(name)}
          value={text}
          error={wrong === name ? t("conversation.confirm.notJson") : undefined}
          onChange={(event) => {
            const next = event.currentTarget.value;
            setTexts((now) => ({ ...now, [name]: next }));
            setWrong(undefined);
          }}
        />
      ))}
      <Group>
        <Button loading={isSaving} onClick={save}>
          {t("conversation.confirm.save")}
        </Button>
        <Button variant="default" disabled={isSaving} onClick={onCancel}>
          {t("common.cancel")}
        </Button>
      </Group>
    </Stack>
  );
}

interface DeclineProps {
  isSending: boolean;
  onCancel: () => void;
  onDecline: (reason: string) => void;
}

function DeclineReason({ isSending, onCancel, onDecline }: DeclineProps) {
  const { t } = useTranslation();
  const [reason, setReason] = useState("");
  return (
    <Stack gap="xs">
      <Textarea
        label={t("conversation.confirm.reason")}
        autosize
        autoFocus
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Group>
        <Button color="danger" loading={isSending} onClick={() => onDecline(reason.trim())}>
          {t("conversation.confirm.decline")}
        </Button>
        <Button variant="default" disabled={isSending} onClick={onCancel}>
          {t("common.cancel")}
        </Button>
      </Group>
    </Stack>
  );
}
