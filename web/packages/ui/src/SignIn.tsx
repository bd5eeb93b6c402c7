import { Button, Center, Divider, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { api, ApiError } from "@msil-mcp/api";
import { type SubmitEvent, useState } from "react";

import { ErrorNotice } from "./ErrorNotice";
import { Mark } from "./Mark";

export interface SignInLabels {
  username: string;
  password: string;
  signIn: string;
  /** "Continue as {name}": the one click on this machine. */
  oneClick: string;
  oneClickHint: string;
  or: string;
  none: string;
  refused: string;
}

const ENGLISH: SignInLabels = {
  username: "User name",
  password: "Password",
  signIn: "Sign in",
  oneClick: "Continue on this computer",
  oneClickHint: "This server listens to this computer alone, so no password is asked.",
  or: "or",
  none: "Nobody can sign in yet. Make the first user with: msil-mcp users add NAME --role administrator",
  refused: "Signing in did not work",
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
  const refused = refusalOf(window.location.search, labels.refused);
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

/** Why an identity provider's sign-in came back without one: `?sign_in_error=slug&correlation_id=…`. */
function refusalOf(search: string, title: string): ApiError | undefined {
  const facts = new URLSearchParams(search);
  const code = facts.get("sign_in_error");
  if (code === null) return undefined;
  const correlation_id = facts.get("correlation_id");
  return new ApiError({ type: "about:blank", title, status: 401, detail: code.replaceAll("_", " "), code, correlation_id });
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
