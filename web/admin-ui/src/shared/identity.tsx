import type { components } from "@msil-mcp/api";
import { createContext, useCallback, useContext } from "react";

export type Profile = components["schemas"]["Profile"];
export type Permission = Profile["permissions"][number];

const Identity = createContext<Profile | null>(null);

export const IdentityProvider = Identity.Provider;

/** Who is signed in; the shell asks before it shows a page. */
export function useIdentity(): Profile {
  const profile = useContext(Identity);
  if (!profile) throw new Error("useIdentity is used outside the signed-in shell");
  return profile;
}

/** `may("audit:read")`: whether the server would let this person. */
export function useMay(): (permission: Permission) => boolean {
  const { permissions } = useIdentity();
  return useCallback((permission) => permissions.includes(permission), [permissions]);
}
