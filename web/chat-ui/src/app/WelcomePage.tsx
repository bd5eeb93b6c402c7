import { SimpleGrid, Skeleton, Stack, Text, Title, UnstyledButton } from "@mantine/core";
import { api } from "@msil-mcp/api";
import { ErrorNotice } from "@msil-mcp/ui";
import { useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useTranslation } from "react-i18next";

import { Composer, type ComposerHandle } from "../shared/Composer";
import { newId } from "../shared/ids";
import classes from "./WelcomePage.module.css";

const SHOWN = 4;

/** Where a conversation begins: in one's own words, or with what the bundles suggest. */
export function WelcomePage() {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const begin = api.useMutation("post", "/api/chat/sessions");
  const suggestions = api.useQuery("get", "/api/chat/suggestions", {}, { staleTime: 60_000 });
  const composer = useRef<ComposerHandle>(null);
  const say = (text: string, { isWritten }: { isWritten: boolean }) =>
    begin.mutate(
      { body: { language: i18n.language } },
      {
        onSuccess: (session) =>
          navigate({
            to: "/c/$sessionId",
            params: { sessionId: session.id },
            state: { firstWords: { text, clientId: newId() } },
          }),
        onError: () => isWritten && composer.current?.giveBack(text),
      },
    );
  const usable = suggestions.data?.filter((suggestion) => suggestion.example !== null).slice(0, SHOWN);
  return (
    <div className={classes["page"]}>
      <Stack w="100%" maw={640}>
        <Title order={1} size="h2" ta="center">
          {t("welcome.greeting")}
        </Title>
        <Text ta="center" c="dimmed">
          {t("welcome.hint")}
        </Text>
        {begin.error && <ErrorNotice error={begin.error} />}
        <Composer autoFocus handle={composer} isBusy={begin.isPending} onSay={(text) => say(text, { isWritten: true })} />
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" role="group" aria-label={t("welcome.suggestions")} mih={84}>
          {suggestions.isPending && <Skeleton height={84} />}
          {usable?.map((suggestion) => (
            <UnstyledButton
              key={`${suggestion.bundle}/${suggestion.name}`}
              className={classes["card"]}
              disabled={begin.isPending}
              onClick={() => say(suggestion.example ?? "", { isWritten: false })}
            >
              <Text fw={600} size="sm">
                {suggestion.title}
              </Text>
              <Text size="sm" c="dimmed" lineClamp={2}>
                {suggestion.example}
              </Text>
            </UnstyledButton>
          ))}
        </SimpleGrid>
      </Stack>
    </div>
  );
}
