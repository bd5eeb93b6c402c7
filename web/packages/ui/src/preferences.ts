import { type MantineColorScheme, useMantineColorScheme } from "@mantine/core";
import { api, type components } from "@msil-mcp/api";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

type Profile = components["schemas"]["Profile"];
export type Choices = NonNullable<Profile["preferences"]>;
export type Locale = NonNullable<Choices["locale"]>;

/**
 * Whether what this person chose, here or on another device, is in force. It is brought into force
 * once, when they come: what is chosen after that is newer than anything the server tells.
 */
export function useChoicesInForce(profile: Profile | undefined, speak?: (locale: Locale) => Promise<void>): boolean {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [met, setMet] = useState<string>();
  const id = profile?.id;
  const theme: MantineColorScheme | null = profile?.preferences?.theme ?? null;
  const locale = profile?.preferences?.locale ?? null;
  useEffect(() => {
    if (id === undefined || met === id) return;
    if (theme !== null && theme !== colorScheme) setColorScheme(theme);
    const spoken = locale !== null && speak ? speak(locale) : Promise.resolve();
    // A language that cannot be fetched leaves the one that is spoken now.
    void spoken.catch(() => undefined).then(() => setMet(id));
  }, [id, met, theme, locale, colorScheme, setColorScheme, speak]);
  return id !== undefined && met === id;
}

/**
 * Keeps a choice at the server, for the other devices; only people who are known there have a place
 * for it. `onNotKept` is told when it counts on this device alone.
 */
export function useKeptChoice(profile: Profile, onNotKept: () => void): (choice: Choices) => void {
  const cache = useQueryClient();
  const keep = api.useMutation("patch", "/api/auth/me", {
    onSuccess: (me) => cache.setQueryData(api.queryOptions("get", "/api/auth/me", {}).queryKey, me),
    onError: onNotKept,
  });
  return (preferences) => {
    if (profile.preferences) keep.mutate({ body: { preferences } });
  };
}
