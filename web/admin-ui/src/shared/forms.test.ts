import { expect, test } from "vitest";

import { changedOf } from "./forms";

test("what nobody changed in the form is not sent, so that nobody else's change is taken back", () => {
  const before = { name: "Asha", roles: ["user"], active: true };

  expect(changedOf({ name: "Asha", roles: ["user", "auditor"], active: true }, before)).toEqual({ roles: ["user", "auditor"] });
  expect(changedOf({ ...before }, before)).toEqual({});
});
