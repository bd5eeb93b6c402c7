import { ActionIcon, Button, Center, Group, Loader, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { ErrorNotice } from "@msil-mcp/ui";
import { IconPlus, IconSearch, IconX } from "@tabler/icons-react";
import { Link, useParams } from "@tanstack/react-router";
import { type RefObject, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Shelf, useSessions } from "./queries";
import { SessionItem } from "./SessionItem";
import classes from "./Sidebar.module.css";

interface Props {
  onOpen: () => void;
  searchRef: RefObject<HTMLInputElement | null>;
}

const TYPING_MS = 200;

/** The person's conversations: pinned ones first, found by what was said in them. */
export function Sidebar({ onOpen, searchRef }: Props) {
  const { t } = useTranslation();
  const { sessionId } = useParams({ strict: false });
  const [text, setText] = useState("");
  const [shelf, setShelf] = useState<Shelf>("active");
  const [search] = useDebouncedValue(text.trim(), TYPING_MS);
  const sessions = useSessions({ search, shelf });
  const items = sessions.data?.pages.flatMap((page) => page.items);
  return (
    <Stack gap="xs" h="100%" p="sm">
      <Button component={Link} to="/" leftSection={<IconPlus size={18} aria-hidden />} variant="default" onClick={onOpen}>
        {t("sessions.new")}
      </Button>
      <TextInput
        ref={searchRef}
        size="sm"
        aria-label={t("sessions.search")}
        placeholder={t("sessions.search")}
        leftSection={<IconSearch size={16} aria-hidden />}
        rightSection={
          text && (
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={t("sessions.clear")} onClick={() => setText("")}>
              <IconX size={14} aria-hidden />
            </ActionIcon>
          )
        }
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Group gap={4} role="group" aria-label={t("sessions.shelf")}>
        {(["active", "archived"] as const).map((name) => (
          <Button
            key={name}
            size="compact-xs"
            variant={shelf === name ? "light" : "subtle"}
            color="brand"
            aria-pressed={shelf === name}
            onClick={() => setShelf(name)}
          >
            {t(`sessions.${name}`)}
          </Button>
        ))}
      </Group>
      <div className={classes["scroller"]}>
        {sessions.error && !items && <ErrorNotice error={sessions.error} onRetry={() => void sessions.refetch()} />}
        {sessions.isPending && Array.from({ length: 6 }, (_, index) => <Skeleton key={index} height={20} my={10} />)}
        {items?.length === 0 && (
          <Text size="sm" c="dimmed" ta="center" py="md">
            {t(search ? "sessions.nothingFound" : shelf === "archived" ? "sessions.nothingArchived" : "sessions.none")}
          </Text>
        )}
        <ul className={classes["list"]} aria-label={t("sessions.list")}>
          {items?.map((session) => (
            <li key={session.id}>
              <SessionItem session={session} isCurrent={session.id === sessionId} onOpen={onOpen} />
            </li>
          ))}
        </ul>
        {sessions.hasNextPage && (
          <Center py="xs">
            <Button variant="subtle" size="compact-sm" loading={sessions.isFetchingNextPage} onClick={() => void sessions.fetchNextPage()}>
              {t("sessions.more_many")}
            </Button>
          </Center>
        )}
        {sessions.isFetching && !sessions.isPending && (
          <Group justify="center">
            <Loader size="xs" aria-hidden />
          </Group>
        )}
      </div>
    </Stack>
  );
}
