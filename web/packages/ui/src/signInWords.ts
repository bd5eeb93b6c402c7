/** What the server names as the reason why an identity provider's sign-in came to nothing. */
export const SIGN_IN_REASONS = [
  "account_disabled",
  "bad_provider_document",
  "database_unavailable",
  "identity_provider_unavailable",
  "no_role",
  "provider_refused",
  "sign_in_declined",
  "sign_in_expired",
  "sign_in_unavailable",
] as const;
export type SignInReason = (typeof SIGN_IN_REASONS)[number];

export interface SignInLabels {
  username: string;
  password: string;
  showPassword: string;
  signIn: string;
  /** "Continue as {name}": the one click on this machine. */
  oneClick: string;
  oneClickHint: string;
  or: string;
  none: string;
  refused: string;
  reasons: Record<SignInReason, string>;
  /** For a reason that is not among these. */
  otherReason: string;
}
