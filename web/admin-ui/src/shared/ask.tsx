import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";

interface Question {
  title: string;
  /** What becomes of what, and whether it can be undone. */
  text: string;
  confirm: string;
  onConfirm: () => void;
}

/** Asks before something is ended or taken away. */
export function ask({ title, text, confirm, onConfirm }: Question): void {
  modals.openConfirmModal({
    title,
    children: <Text size="sm">{text}</Text>,
    labels: { confirm, cancel: "Cancel" },
    confirmProps: { color: "danger" },
    onConfirm,
  });
}
