import { Drawer } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  title: ReactNode;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  size?: string | number;
}

/** The detail beside its list; which one is open is in the URL, so the place is not lost. */
export function SidePanel({ title, isOpen, onClose, children, size = "lg" }: Props) {
  return (
    <Drawer
      opened={isOpen}
      onClose={onClose}
      title={title}
      position="right"
      size={size}
      closeButtonProps={{ "aria-label": "Close the panel" }}
    >
      {children}
    </Drawer>
  );
}
