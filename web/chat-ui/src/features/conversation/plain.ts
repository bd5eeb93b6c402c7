// Everything of Unicode's control characters but tab and newline, and terminals' escape sequences.
// eslint-disable-next-line no-control-regex
const CONTROLS = /\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text without what a terminal or a reader could take for a command. */
export function plain(text: string): string {
  return text.replace(CONTROLS, "");
}

/** "create_service_booking" as one would say it. */
export function inWords(name: string): string {
  const words = name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
