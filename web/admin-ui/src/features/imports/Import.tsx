import "@mantine/dropzone/styles.css";

import { Button, Card, Group, Progress, Stack, Switch, Text, TextInput, Title } from "@mantine/core";
import { Dropzone, type FileRejection } from "@mantine/dropzone";
import { api, ApiError, client, type components } from "@msil-mcp/api";
import { EmptyState, ErrorNotice, RelativeTime } from "@msil-mcp/ui";
import { IconFileCode, IconUpload, IconX } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { type Column, DataTable } from "../../shared/DataTable";
import { useMay } from "../../shared/identity";
import { BY_CURSOR, usePages } from "../../shared/lists";
import { Page } from "../../shared/Page";
import { Plan } from "./Plan";

type Draft = components["schemas"]["DraftView"];
type Spec = components["schemas"]["SpecLine"];

const POLL_MS = 400;
const MAX_BYTES = 50_000_000;

/** A document, what would become of it, and then the tools. */
export function Import() {
  const may = useMay();
  const { draftId }: { draftId?: string } = useParams({ strict: false });
  return (
    <Page
      title="Import"
      description="An OpenAPI document becomes tools. Nothing is changed before you have seen the plan."
      needs="tools:write"
    >
      {may("tools:write") && (draftId ? <OpenDraft key={draftId} id={draftId} /> : <Start />)}
    </Page>
  );
}

function Start() {
  const navigate = useNavigate();
  const [file, setFile] = useState<File>();
  const [url, setUrl] = useState("");
  const [bundle, setBundle] = useState("");
  const [baseUrl, setBaseUrl] = useState("");
  const [isByTag, setIsByTag] = useState(false);
  const [isPrivate, setIsPrivate] = useState(false);
  const [refused, setRefused] = useState<string>();
  const begin = useMutation({
    mutationFn: async () => {
      const query = {
        bundle: bundle.trim(),
        by_tag: isByTag,
        allow_private: isPrivate,
        ...(baseUrl.trim() ? { base_url: baseUrl.trim() } : {}),
        ...(file ? { filename: file.name } : { url: url.trim() }),
      };
      const { data } = await client.POST("/api/imports", {
        params: { query },
        // The body is the file itself; the schema's string stands for its bytes.
        ...(file ? { body: file as unknown as string, bodySerializer: (body: unknown) => body as BodyInit, headers: { "Content-Type": "application/octet-stream" } } : {}),
      });
      return data;
    },
    onSuccess: (draft) => draft && navigate({ to: "/import/$draftId", params: { draftId: draft.id } } as never),
  });
  const isReady = bundle.trim() !== "" && (file !== undefined || url.trim() !== "");
  return (
    <Stack>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          begin.mutate();
        }}
      >
        <Stack>
          <Dropzone
            onDrop={(files) => {
              setRefused(undefined);
              setFile(files[0]);
            }}
            onReject={(files) => setRefused(whyNot(files))}
            maxFiles={1}
            multiple={false}
            maxSize={MAX_BYTES}
            inputProps={{ "aria-label": "OpenAPI document" }}
            aria-label="Drop an OpenAPI document here, or press Enter to choose one"
          >
            <Group justify="center" mih={110} style={{ pointerEvents: "none" }}>
              <Dropzone.Accept>
                <IconUpload size={32} aria-hidden />
              </Dropzone.Accept>
              <Dropzone.Reject>
                <IconX size={32} aria-hidden />
              </Dropzone.Reject>
              <Dropzone.Idle>
                <IconFileCode size={32} aria-hidden />
              </Dropzone.Idle>
              <div>
                <Text fw={600}>{file ? file.name : "Drop a JSON or YAML file here, or choose one"}</Text>
                <Text size="sm" c="dimmed">
                  OpenAPI 3.0, 3.1, 3.2 or Swagger 2.0
                </Text>
              </div>
            </Group>
          </Dropzone>
          {refused && (
            <Text size="sm" c="var(--mantine-color-error)" role="alert">
              {refused}
            </Text>
          )}
          {file ? (
            <Group>
              <Button size="compact-sm" variant="default" onClick={() => setFile(undefined)}>
                Take another, or an address
              </Button>
            </Group>
          ) : (
            <TextInput
              label="Or its address"
              description="Fetched by the server, which refuses addresses of its own network unless it is told to allow them."
              placeholder="https://api.example.com/openapi.json"
              value={url}
              onChange={(event) => setUrl(event.currentTarget.value)}
            />
          )}
          <Group grow align="flex-start">
            <TextInput
              label="Bundle"
              description="A journey its tools belong to, as service_booking"
              withAsterisk
              value={bundle}
              onChange={(event) => setBundle(event.currentTarget.value)}
            />
            <TextInput
              label="Base URL"
              description="Where calls go; without it, what the document says"
              placeholder="https://api.example.com"
              value={baseUrl}
              onChange={(event) => setBaseUrl(event.currentTarget.value)}
            />
          </Group>
          <Switch
            label="One bundle for every tag"
            checked={isByTag}
            onChange={(event) => setIsByTag(event.currentTarget.checked)}
          />
          <Switch
            label="The service lies in our own network"
            description="Lets this document and its calls go to private addresses, which are refused otherwise."
            checked={isPrivate}
            onChange={(event) => setIsPrivate(event.currentTarget.checked)}
          />
          {begin.error && <ErrorNotice error={begin.error} />}
          <Group>
            <Button type="submit" disabled={!isReady} loading={begin.isPending}>
              Show the plan
            </Button>
          </Group>
        </Stack>
      </form>
      <Documents />
    </Stack>
  );
}

function whyNot(files: readonly FileRejection[]): string {
  if (files.length > 1) return "One file at a time: a document that is split into several has to be bundled first.";
  const file = files[0]?.file;
  return `${file?.name ?? "The file"} is larger than ${MAX_BYTES / 1_000_000} MB, and is not taken.`;
}

const STAGES: Record<Draft["progress"]["stage"], string> = {
  waiting: "Waiting for its turn",
  fetching: "Fetching the document",
  reading: "Reading operations",
  comparing: "Comparing with the tools that are there",
  done: "Done",
};

function OpenDraft({ id }: { id: string }) {
  const navigate = useNavigate();
  const draft = api.useQuery(
    "get",
    "/api/imports/{draft_id}",
    { params: { path: { draft_id: id } } },
    { refetchInterval: ({ state }) => (state.data?.state === "reading" ? POLL_MS : false) },
  );
  const back = (
    <Button variant="default" onClick={() => void navigate({ to: "/import" } as never)}>
      Begin again
    </Button>
  );
  if (draft.error && !draft.data) return <ErrorNotice error={draft.error} onRetry={() => void draft.refetch()} />;
  const { progress, state, error, plan } = draft.data ?? {};
  if (state === "failed" && error) {
    return (
      <Stack align="flex-start">
        <ErrorNotice error={new ApiError({ type: "about:blank", status: 422, ...error })} />
        {back}
      </Stack>
    );
  }
  if (state === "imported") {
    return (
      <EmptyState icon={IconFileCode} title="This plan was imported" action={back}>
        Its tools are under Tools. To import the document again, begin again.
      </EmptyState>
    );
  }
  if (!plan || !draft.data || state === "reading") {
    const share = progress && progress.total > 0 ? (100 * progress.done) / progress.total : 0;
    return (
      <Card withBorder>
        <Text mb="xs" role="status">
          {progress ? STAGES[progress.stage] : "Asking…"}
          {progress && progress.total > 0 && ` (${progress.done} of ${progress.total})`}
        </Text>
        <Progress value={share} animated aria-label="Progress of reading" />
      </Card>
    );
  }
  return <Plan draft={draft.data} plan={plan} back={back} />;
}

const COLUMNS: Column<Spec>[] = [
  { id: "name", header: "Name", value: (row) => row.name },
  { id: "title", header: "Title", value: (row) => row.title },
  { id: "version", header: "Version", width: 8, value: (row) => row.api_version },
  { id: "tools", header: "Tools", width: 6, value: (row) => row.tools },
  { id: "published", header: "Published", width: 8, value: (row) => row.published },
  { id: "bundles", header: "Bundles", width: 14, value: (row) => row.bundles.join(", ") },
  { id: "imported", header: "Imported", width: 10, value: (row) => row.imported_at, cell: (row) => <RelativeTime at={row.imported_at} /> },
  { id: "by", header: "By", width: 10, value: (row) => row.imported_by },
];

function Documents() {
  const specs = api.useInfiniteQuery("get", "/api/specs", {}, BY_CURSOR);
  const pages = usePages<Spec>(specs);
  return (
    <section>
      <Title order={2} size="h4" mb="xs">
        Documents that were imported
      </Title>
      <DataTable
        label="Documents"
        columns={COLUMNS}
        rowId={(row) => row.name}
        {...pages}
        height="24rem"
        empty={
          <EmptyState icon={IconFileCode} title="No document was imported yet">
            Drop one above. Its operations become tools once you agree to the plan.
          </EmptyState>
        }
      />
    </section>
  );
}
