import { notifications } from "@mantine/notifications";

/** Says in the corner, for a moment, that something was done. */
export function tell(message: string): void {
  notifications.show({ message, closeButtonProps: { "aria-label": "Close the notice" } });
}
