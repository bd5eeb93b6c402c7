import { Center, Loader } from "@mantine/core";
import { api, asApiError, type components } from "@msil-mcp/api";
import { lazy, type ReactNode, Suspense } from "react";

import { ErrorNotice } from "./ErrorNotice";
import type { SignInLabels } from "./SignIn";

const SignIn = lazy(() => import("./SignIn").then((module) => ({ default: module.SignIn })));

export type Profile = components["schemas"]["Profile"];

interface Props {
  title: string;
  labels?: SignInLabels;
  children: (profile: Profile) => ReactNode;
}

/** Shows the app to whoever is signed in, and the ways to sign in to anybody else; the address stays. */
export function SignInGate({ title, labels, children }: Props) {
  const me = api.useQuery("get", "/api/auth/me", {}, { meta: { identity: true }, staleTime: 60_000 });
  if (me.data && !me.error) return <>{children(me.data)}</>;
  const waiting = (
    <Center h="100dvh">
      <Loader aria-label={title} />
    </Center>
  );
  if (me.isPending) return waiting;
  if (asApiError(me.error).isSignedOut) {
    return (
      <Suspense fallback={waiting}>
        <SignIn title={title} onSignedIn={() => void me.refetch()} {...(labels ? { labels } : {})} />
      </Suspense>
    );
  }
  return (
    <Center h="100dvh" p="md">
      <ErrorNotice error={me.error} onRetry={() => void me.refetch()} />
    </Center>
  );
}
