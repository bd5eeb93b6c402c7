import { Anchor, Card, SegmentedControl, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { useAddress } from "../../shared/address";
import { LiveFeed } from "../../shared/LiveFeed";
import { Page } from "../../shared/Page";
import { activitySearch, type Kind, KINDS } from "./search";

const PREFIXES: Record<Kind, RegExp> = {
  all: /./,
  tools: /^(tool\.(called|denied)|write\.)/,
  approvals: /^approval\./,
  conversations: /^(run|chat)\./,
  changes: /^(document|bundle|key|user|role|exposure)\.|^tool\.(published|withdrawn|enabled|disabled|edited)/,
};
const LABELS: Record<Kind, string> = {
  all: "All",
  tools: "Calls",
  approvals: "Approvals",
  conversations: "Conversations",
  changes: "Changes",
};
const SHOWN = 100;

/** What happens, as it happens. */
export function Activity() {
  const [{ kind = "all" }, change] = useAddress(activitySearch);
  return (
    <Page
      title="Activity"
      description="What happens, as it happens."
      needs="audit:read"
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Which events"
          value={kind}
          onChange={(next) => change({ kind: next })}
          data={KINDS.map((value) => ({ value, label: LABELS[value] }))}
        />
      }
    >
      <Card withBorder>
        <LiveFeed limit={SHOWN} only={(event) => PREFIXES[kind].test(event.type)} />
      </Card>
      <Text size="sm" c="dimmed">
        What happened before is in the{" "}
        <Anchor component={Link} to="/audit" size="sm">
          audit trail
        </Anchor>
        .
      </Text>
    </Page>
  );
}
