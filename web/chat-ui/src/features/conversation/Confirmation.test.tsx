import { serve } from "@msil-mcp/ui/testing";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { renderChat } from "../../shared/testing";
import { Confirmation } from "./Confirmation";
import type { ApprovalCard } from "./model";

const CARD: ApprovalCard = {
  approval_id: "ap_1",
  call_id: "c1",
  state: "pending",
  tool: "create_service_booking",
  sentence: "Book a service appointment.",
  arguments: { appointment_time: "10:00", dealer_code: "MSIL-PUNE-001" },
  method: "POST",
  url: "http://booking/api/booking/create",
  expires_at: "2026-11-22T11:00:00Z",
};
const DECISION = "POST /api/chat/sessions/abc/approvals/ap_1/decision";

function decided() {
  return serve({ [DECISION]: { run_id: "run1", approval: { ...CARD, id: "ap_1", state: "approved" } } });
}

test("a write shows what will happen, and approving sends just that", async () => {
  const { asked } = decided();
  const onDecided = vi.fn();
  await renderChat(<Confirmation card={CARD} sessionId="abc" onDecided={onDecided} />);

  expect(screen.getByText("Book a service appointment.")).toBeVisible();
  expect(screen.getByText("MSIL-PUNE-001")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Approve" }));

  await vi.waitFor(() => expect(onDecided).toHaveBeenCalled());
  expect(await asked[0]?.json()).toEqual({ decision: "approve" });
});

test("declining tells the assistant why", async () => {
  const { asked } = decided();
  await renderChat(<Confirmation card={CARD} sessionId="abc" onDecided={vi.fn()} />);

  await userEvent.click(screen.getByRole("button", { name: "Decline" }));
  await userEvent.type(screen.getByLabelText(/Why not/), "Wrong dealer");
  await userEvent.click(screen.getByRole("button", { name: "Decline" }));

  await vi.waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ decision: "decline", reason: "Wrong dealer" });
});

test("an edit sends every argument as it should be", async () => {
  const { asked } = decided();
  await renderChat(<Confirmation card={CARD} sessionId="abc" onDecided={vi.fn()} />);

  await userEvent.click(screen.getByRole("button", { name: "Edit" }));
  const time = screen.getByLabelText("Appointment time");
  await userEvent.clear(time);
  await userEvent.type(time, "11:30");
  await userEvent.click(screen.getByRole("button", { name: "Save and ask again" }));

  await vi.waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({
    decision: "edit",
    arguments: { appointment_time: "11:30", dealer_code: "MSIL-PUNE-001" },
  });
});

test("the focus goes where something can be done next", async () => {
  await renderChat(<Confirmation card={CARD} sessionId="abc" onDecided={vi.fn()} />);

  await userEvent.click(screen.getByRole("button", { name: "Edit" }));
  expect(screen.getByLabelText("Appointment time")).toHaveFocus();
  await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(screen.getByRole("button", { name: "Approve" })).toHaveFocus();
  await userEvent.click(screen.getByRole("button", { name: "Decline" }));
  expect(screen.getByLabelText(/Why not/)).toHaveFocus();
});

test("what was decided cannot be decided again", async () => {
  await renderChat(<Confirmation card={{ ...CARD, state: "declined" }} sessionId="abc" onDecided={vi.fn()} />);

  expect(screen.getByText(/Declined: Book a service appointment/)).toBeVisible();
  expect(screen.queryByRole("button")).toBeNull();
});
