import { ActionIcon, Button, Group, Menu, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { ErrorNotice } from "@msil-mcp/ui";
import {
  IconArchive,
  IconArchiveOff,
  IconDots,
  IconDownload,
  IconPencil,
  IconPin,
  IconPinFilled,
  IconPinnedOff,
  IconTrash,
} from "@tabler/icons-react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Session, useSessionActions } from "./queries";
import classes from "./Sidebar.module.css";

interface Props {
  session: Session;
  isCurrent: boolean;
  onOpen: () => void;
}

const UNDO_MS = 10_000;

export function SessionItem({ session, isCurrent, onOpen }: Props) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { change, remove, restore } = useSessionActions();
  const [isNaming, setIsNaming] = useState(false);
  const menu = useRef<HTMLButtonElement>(null);
  const wasNaming = useRef(false);
  useEffect(() => {
    // Back to where the naming was begun from.
    if (isNaming || !wasNaming.current) return;
    wasNaming.current = false;
    menu.current?.focus();
  }, [isNaming]);
  const params = { path: { session_id: session.id } };
  const title = session.title || t("sessions.untitled");
  const closing = { closeButtonProps: { "aria-label": t("common.close") } };

  const onError = (error: unknown) => {
    notifications.show({ message: <ErrorNotice error={error} />, withBorder: false, autoClose: UNDO_MS, ...closing });
  };
  const deleteWithUndo = async () => {
    // Awaited, because by then the item may be gone from its list, and callbacks of it with it.
    await remove.mutateAsync({ params });
    if (isCurrent) void navigate({ to: "/" });
    const id = `deleted-${session.id}`;
    const undo = () => {
      notifications.hide(id);
      restore.mutateAsync({ params }).catch(onError);
    };
    notifications.show({
      id,
      autoClose: UNDO_MS,
      ...closing,
      message: (
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm">{t("sessions.deleted", { title })}</Text>
          <Button size="compact-sm" variant="default" onClick={undo}>
            {t("sessions.undo")}
          </Button>
        </Group>
      ),
    });
  };

  if (isNaming) {
    return (
      <RenameField
        title={session.title}
        onDone={(next, { isByKey }) => {
          setIsNaming(false);
          wasNaming.current = isByKey;
          if (next && next !== session.title) change.mutate({ params, body: { title: next } }, { onError });
        }}
      />
    );
  }
  return (
    <div className={classes["item"]} data-current={isCurrent || undefined}>
      <Link
        to="/c/$sessionId"
        params={{ sessionId: session.id }}
        className={classes["link"]}
        aria-current={isCurrent ? "page" : undefined}
        title={title}
        onClick={onOpen}
      >
        {session.pinned && <IconPinFilled size={12} aria-label={t("sessions.pinned")} style={{ marginInlineEnd: 6 }} />}
        {title}
      </Link>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon ref={menu} className={classes["menu"]} variant="subtle" color="gray" aria-label={t("sessions.more", { title })}>
            <IconDots size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={() => setIsNaming(true)}>
            {t("sessions.rename")}
          </Menu.Item>
          <Menu.Item
            leftSection={session.pinned ? <IconPinnedOff size={16} aria-hidden /> : <IconPin size={16} aria-hidden />}
            onClick={() => change.mutate({ params, body: { pinned: !session.pinned } }, { onError })}
          >
            {t(session.pinned ? "sessions.unpin" : "sessions.pin")}
          </Menu.Item>
          <Menu.Item
            leftSection={session.archived ? <IconArchiveOff size={16} aria-hidden /> : <IconArchive size={16} aria-hidden />}
            onClick={() => change.mutate({ params, body: { archived: !session.archived } }, { onError })}
          >
            {t(session.archived ? "sessions.unarchive" : "sessions.archive")}
          </Menu.Item>
          <Menu.Divider />
          {(["markdown", "json"] as const).map((format) => (
            <Menu.Item
              key={format}
              component="a"
              href={`/api/chat/sessions/${session.id}/export?format=${format}`}
              download
              leftSection={<IconDownload size={16} aria-hidden />}
            >
              {t(`sessions.export.${format}`)}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item color="danger" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => void deleteWithUndo().catch(onError)}>
            {t("sessions.delete")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

interface RenameProps {
  title: string;
  /** With no title nothing is to be changed. */
  onDone: (title: string, how: { isByKey: boolean }) => void;
}

function RenameField({ title, onDone }: RenameProps) {
  const { t } = useTranslation();
  const [name, setName] = useState(title);
  return (
    <TextInput
      size="sm"
      aria-label={t("sessions.name")}
      autoFocus
      maxLength={200}
      value={name}
      onChange={(event) => setName(event.currentTarget.value)}
      onBlur={() => onDone(name.trim(), { isByKey: false })}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") onDone(name.trim(), { isByKey: true });
        if (event.key === "Escape") onDone("", { isByKey: true });
      }}
    />
  );
}
