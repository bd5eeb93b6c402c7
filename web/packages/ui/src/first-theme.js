// Runs before anything is painted: the theme that was chosen on this device.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("msil-color-scheme");
  } catch {
    // Without storage the device decides.
  }
  const isDark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", isDark ? "dark" : "light");
})();
