/** The product's mark; next to its name it says nothing of its own. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden focusable="false">
      <rect width="32" height="32" rx="8" fill="#003d79" />
      <path d="M8 22V11l8 7 8-7v11" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" />
      <circle cx="16" cy="25" r="2" fill="#e31837" />
    </svg>
  );
}
