import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconMoon, IconSun } from "@tabler/icons-react";

export function ColorSchemeToggle({ toDark = "Dark theme", toLight = "Light theme" }) {
  const { setColorScheme } = useMantineColorScheme();
  const current = useComputedColorScheme("light");
  const label = current === "light" ? toDark : toLight;
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={() => setColorScheme(current === "light" ? "dark" : "light")}
      >
        {current === "light" ? <IconMoon size={20} aria-hidden /> : <IconSun size={20} aria-hidden />}
      </ActionIcon>
    </Tooltip>
  );
}
