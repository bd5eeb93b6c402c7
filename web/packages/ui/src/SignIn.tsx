import { Button, Center, Divider, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { api, ApiError } from "@msil-mcp/api";
import { type SubmitEvent, useState } from "react";

import { ErrorNotice } from "./ErrorNotice";
import { Mark } from "./Mark";
import { SIGN_IN_REASONS, type SignInLabels } from "./signInWords";

const PROVIDER = "The identity provider does not answer as it should. Try again in a few seconds, and tell an administrator if it goes on.";

const ENGLISH: SignInLabels = {
  username: "User name",
  password: "Password",
  showPassword: "Show the password",
  signIn: "Sign in",
  oneClick: "Continue on this computer",
  oneClickHint: "This server listens to this computer alone, so no password is asked.",
  or: "or",
  none: "Nobody can sign in yet. Make the first user with: msil-mcp users add NAME --role administrator",
  refused: "Signing in did not work",
  reasons: {
    account_disabled: "Your account here is disabled. An administrator can enable it again.",
    bad_provider_document: PROVIDER,
    database_unavailable: "The server cannot reach its database. Try again in a moment.",
    identity_provider_unavailable: PROVIDER,
    no_role: "The identity provider knows you, but you have no role here yet. Ask an administrator for one.",
    provider_refused: "The identity provider's answer does not prove who you are. Sign in again, and tell an administrator if it goes on.",
    sign_in_declined: "The identity provider ended the sign-in. Sign in again, or ask an administrator whether you may.",
    sign_in_expired: "This sign-in was begun in another browser or more than ten minutes ago, or was used already. Sign in again.",
    sign_in_unavailable: PROVIDER,
  },
  otherReason: "The server did not say why in words known here. Sign in again, and tell an administrator if it goes on.",
};

interface Props {
  title: string;
  labels?: SignInLabels;
  onSignedIn: () => void;
}

/** The ways to sign in that this server offers. */
export function SignIn({ title, labels = ENGLISH, onSignedIn }: Props) {
  const options = api.useQuery("get", "/api/auth/options");
  const oneClick = api.useMutation("post", "/api/auth/loopback", { onSuccess: onSignedIn });
  const refused = refusalOf(window.location.search, labels);
  const { loopback = false, password = false, oidc = null } = options.data ?? {};
  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="xl" w={380} maw="100%">
        <Stack>
          <Stack gap="xs" align="center">
            <Mark size={40} />
            <Title order={1} size="h3" ta="center">
              {title}
            </Title>
          </Stack>
          {refused && <ErrorNotice error={refused} />}
          {options.error && <ErrorNotice error={options.error} onRetry={() => void options.refetch()} />}
          {oneClick.error && <ErrorNotice error={oneClick.error} />}
          {loopback && (
            <Stack gap={4}>
              <Button size="md" loading={oneClick.isPending} onClick={() => oneClick.mutate({})}>
                {labels.oneClick}
              </Button>
              <Text size="xs" c="dimmed" ta="center">
                {labels.oneClickHint}
              </Text>
            </Stack>
          )}
          {oidc && (
            <Button size="md" variant={loopback ? "default" : "filled"} component="a" href={startOf(oidc.start_url)}>
              {oidc.label}
            </Button>
          )}
          {password && (loopback || oidc) && <Divider label={labels.or} />}
          {password && <PasswordForm labels={labels} onSignedIn={onSignedIn} />}
          {options.data && !loopback && !password && !oidc && <Text ta="center">{labels.none}</Text>}
        </Stack>
      </Paper>
    </Center>
  );
}

const REFERENCE = /^[\w.:-]{1,128}$/;

/**
 * Why an identity provider's sign-in came back without one: `?sign_in_error=slug&correlation_id=…`.
 * Anybody can write such an address, so nothing of it is shown but a reference.
 */
function refusalOf(search: string, labels: SignInLabels): ApiError | undefined {
  const facts = new URLSearchParams(search);
  const code = facts.get("sign_in_error");
  if (code === null) return undefined;
  const reason = SIGN_IN_REASONS.find((one) => one === code);
  const detail = reason === undefined ? labels.otherReason : labels.reasons[reason];
  const told = facts.get("correlation_id");
  const correlation_id = told !== null && REFERENCE.test(told) ? told : null;
  return new ApiError({ type: "about:blank", title: labels.refused, status: 401, detail, code: "sign_in_refused", correlation_id });
}

function startOf(url: string): string {
  const here = new URL(window.location.href);
  for (const name of ["sign_in_error", "correlation_id"]) here.searchParams.delete(name);
  return `${url}?next=${encodeURIComponent(here.pathname + here.search)}`;
}

function PasswordForm({ labels, onSignedIn }: { labels: SignInLabels; onSignedIn: () => void }) {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const signIn = api.useMutation("post", "/api/auth/login", { onSuccess: onSignedIn });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    signIn.mutate({ body: { username, password } });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        {signIn.error && <ErrorNotice error={signIn.error} />}
        <TextInput
          label={labels.username}
          autoComplete="username"
          required
          value={username}
          onChange={(event) => setUsername(event.currentTarget.value)}
        />
        <PasswordInput
          label={labels.password}
          autoComplete="current-password"
          required
          visibilityToggleButtonProps={{ "aria-label": labels.showPassword }}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" variant="default" loading={signIn.isPending}>
          {labels.signIn}
        </Button>
      </Stack>
    </form>
  );
}
