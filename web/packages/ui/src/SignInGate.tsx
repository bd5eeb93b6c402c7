import { Center, Loader } from "@mantine/core";
import { api, asApiError, type components } from "@msil-mcp/api";
import { useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense } from "react";

import { ErrorNotice } from "./ErrorNotice";
import { type Locale, useChoicesInForce } from "./preferences";
import type { SignInLabels } from "./signInWords";

const SignIn = lazy(() => import("./SignIn").then((module) => ({ default: module.SignIn })));

export type Profile = components["schemas"]["Profile"];

interface Props {
  title: string;
  labels?: SignInLabels;
  /** Speaks the language a person has chosen; awaited before the app is shown. Stable. */
  speak?: (locale: Locale) => Promise<void>;
  children: (profile: Profile) => ReactNode;
}

/** Shows the app to whoever is signed in, and the ways to sign in to anybody else; the address stays. */
export function SignInGate({ title, labels, speak, children }: Props) {
  const cache = useQueryClient();
  const me = api.useQuery("get", "/api/auth/me", {}, { meta: { identity: true }, staleTime: 60_000 });
  const isSignedOut = me.error !== null && asApiError(me.error).isSignedOut;
  // A server that does not answer for a while takes nothing away from who is at work.
  const profile = isSignedOut ? undefined : me.data;
  const isMet = useChoicesInForce(profile, speak);
  const waiting = (
    <Center h="100dvh">
      <Loader aria-label={title} />
    </Center>
  );
  if (profile) return isMet ? <>{children(profile)}</> : waiting;
  if (me.isPending) return waiting;
  if (isSignedOut) {
    const onSignedIn = () => {
      // What was shown to whoever was here before is not for the next one.
      cache.removeQueries({ predicate: ({ meta }) => meta?.["identity"] !== true });
      void cache.resetQueries({ predicate: ({ meta }) => meta?.["identity"] === true });
    };
    return (
      <Suspense fallback={waiting}>
        <SignIn title={title} onSignedIn={onSignedIn} {...(labels ? { labels } : {})} />
      </Suspense>
    );
  }
  return (
    <Center h="100dvh" p="md">
      <ErrorNotice error={me.error} onRetry={() => void me.refetch()} />
    </Center>
  );
}
