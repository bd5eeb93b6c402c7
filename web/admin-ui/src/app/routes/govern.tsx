import { createRoute, lazyRouteComponent } from "@tanstack/react-router";

import { approvalsSearch } from "../../features/approvals/search";
import { keysSearch } from "../../features/keys/search";
import { rolesSearch } from "../../features/roles/search";
import { usersSearch } from "../../features/users/search";
import { shell } from "../root";

const approvals = createRoute({
  getParentRoute: () => shell,
  path: "/approvals",
  validateSearch: approvalsSearch,
  component: lazyRouteComponent(() => import("../../features/approvals"), "Approvals"),
});
const approval = createRoute({ getParentRoute: () => approvals, path: "$approvalId" });

const roles = createRoute({
  getParentRoute: () => shell,
  path: "/roles",
  validateSearch: rolesSearch,
  component: lazyRouteComponent(() => import("../../features/roles"), "Roles"),
});
const role = createRoute({ getParentRoute: () => roles, path: "$roleName" });

const users = createRoute({
  getParentRoute: () => shell,
  path: "/users",
  validateSearch: usersSearch,
  component: lazyRouteComponent(() => import("../../features/users"), "Users"),
});
const user = createRoute({ getParentRoute: () => users, path: "$userId" });

const keys = createRoute({
  getParentRoute: () => shell,
  path: "/keys",
  validateSearch: keysSearch,
  component: lazyRouteComponent(() => import("../../features/keys"), "Keys"),
});
const key = createRoute({ getParentRoute: () => keys, path: "$keyId" });

export const govern = [
  approvals.addChildren([approval]),
  roles.addChildren([role]),
  users.addChildren([user]),
  keys.addChildren([key]),
] as const;
