import { Alert, Button, Center } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";

import { useWords } from "./words";

/** In place of a page that failed while it was shown, or whose code could not be fetched. */
export function PageFault() {
  const { fault } = useWords();
  return (
    <Center p="md" mih="60dvh">
      <Alert role="alert" variant="light" color="danger" maw={480} icon={<IconAlertTriangle aria-hidden />} title={fault.title}>
        {fault.detail}
        <Button mt="sm" display="block" size="compact-sm" variant="default" onClick={() => window.location.reload()}>
          {fault.reload}
        </Button>
      </Alert>
    </Center>
  );
}
