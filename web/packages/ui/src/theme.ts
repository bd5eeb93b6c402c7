import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

/** #003D79 at index 7; the lighter steps carry text and links on dark ground. */
const brand: MantineColorsTuple = [
  "#eaf3fc",
  "#d3e4f5",
  "#a5c8ec",
  "#74abe3",
  "#4b90d9",
  "#2672bd",
  "#11559a",
  "#003d79",
  "#002f5e",
  "#002145",
];

/** #E31837 at index 6: for the mark and for danger only. */
const danger: MantineColorsTuple = [
  "#ffebee",
  "#fbd3d9",
  "#f4a4b0",
  "#ee7185",
  "#e94862",
  "#e62f4c",
  "#e31837",
  "#c4102c",
  "#a80c25",
  "#85081c",
];

export function makeTheme({ fontSize }: { fontSize: 14 | 16 }) {
  return createTheme({
    primaryColor: "brand",
    primaryShade: { light: 7, dark: 5 },
    colors: { brand, danger },
    autoContrast: true,
    luminanceThreshold: 0.35,
    fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans Devanagari', sans-serif",
    fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
    scale: fontSize / 16,
    defaultRadius: "md",
    cursorType: "pointer",
    respectReducedMotion: true,
    headings: { fontWeight: "600" },
    components: {
      Tooltip: { defaultProps: { withArrow: true, openDelay: 300, transitionProps: { duration: 100 } } },
      Modal: { defaultProps: { centered: true, transitionProps: { duration: 120 } } },
      Drawer: { defaultProps: { transitionProps: { duration: 120 } } },
      // A word that is cut off says nothing.
      Badge: { defaultProps: { miw: "max-content" } },
      // Colour alone does not tell a link from the words around it.
      Anchor: { defaultProps: { underline: "always" } },
      // Its placeholder for the first focus is a child that a menu may not have.
      Menu: { defaultProps: { withInitialFocusPlaceholder: false, shadow: "sm", transitionProps: { duration: 80 } } },
    },
  });
}

/** Dimmed text, words on tinted ground and borders that reach 4.5:1 and 3:1. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: { "--msil-column": "47.5rem" },
  light: {
    "--mantine-color-dimmed": "#55606b",
    "--mantine-color-placeholder": "#5f6974",
    "--mantine-color-anchor": "#003d79",
    "--mantine-color-green-light-color": "#1f6b2f",
    "--mantine-color-yellow-light-color": "#7a4a00",
    "--mantine-color-orange-light-color": "#8a3d00",
    "--mantine-color-red-light-color": "#a61e1e",
    "--mantine-color-teal-light-color": "#08635c",
    "--mantine-color-cyan-light-color": "#0b5a66",
    "--msil-surface": "#f6f8fa",
    "--msil-line": "#d9dee4",
  },
  dark: {
    "--mantine-color-dimmed": "#a6b0ba",
    "--mantine-color-placeholder": "#99a3ad",
    "--mantine-color-anchor": "#8dbcf0",
    "--msil-surface": "#1c1f23",
    "--msil-line": "#3a3f45",
  },
});
