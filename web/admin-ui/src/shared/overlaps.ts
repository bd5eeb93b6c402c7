/** How long an old secret may work beside its successor; in seconds, as the API takes them. */
export const OVERLAPS = [
  { value: "0", label: "not any more" },
  { value: "3600", label: "one hour more" },
  { value: "86400", label: "one day more" },
  { value: "604800", label: "one week more" },
  { value: "2592000", label: "30 days more" },
];
