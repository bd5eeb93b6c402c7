import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { renderChat } from "../../shared/testing";
import { asCalendar } from "./calendar";
import { ResultCard } from "./ResultCards";

const BOOKING = {
  booking_id: "BK261123ABCD",
  status: "CONFIRMED",
  dealer_name: "MSIL Service Hinjewadi",
  appointment_date: "2026-11-24",
  appointment_time: "10:00",
  vehicle_registration: "MH12AB1234",
  estimated_duration: "3-4 hours",
};

test("a free slot is picked by a click and a full one cannot be", async () => {
  const onPick = vi.fn();
  const slots = [
    { slot_id: "a", time: "09:00", available: true, capacity: 5, booked: 0 },
    { slot_id: "b", time: "14:00", available: false, capacity: 5, booked: 5 },
  ];
  await renderChat(<ResultCard output={{ slots }} onPick={onPick} />);

  expect(screen.getByRole("group", { name: "Morning" })).toBeVisible();
  expect(screen.getByRole("button", { name: "14:00" })).toBeDisabled();
  await userEvent.click(screen.getByRole("button", { name: "09:00" }));
  expect(onPick).toHaveBeenCalledWith("09:00");
});

test("dealers are listed with distance and rating", async () => {
  const dealers = [{ dealer_code: "D1", name: "MSIL Service Baner", area: "Baner", distance_km: 3.26, rating: 4.7 }];
  await renderChat(<ResultCard output={{ dealers, total: 1 }} onPick={undefined} />);

  expect(screen.getByRole("listitem")).toHaveTextContent("MSIL Service Baner");
  expect(screen.getByRole("listitem")).toHaveTextContent("3.3 km");
  expect(screen.getByRole("listitem")).toHaveTextContent("4.7");
});

test("a finished booking offers its status and a calendar file", async () => {
  const onPick = vi.fn();
  await renderChat(<ResultCard output={BOOKING} onPick={onPick} />);

  await userEvent.click(screen.getByRole("button", { name: "Check status" }));
  expect(onPick).toHaveBeenCalledWith("What is the status of BK261123ABCD?");
  expect(screen.getByRole("button", { name: "Add to calendar" })).toBeEnabled();
});

test("the calendar file holds the appointment in the dealer's zone, escaped", () => {
  const file = asCalendar({ ...BOOKING, dealer_name: "A; B, C" }, { now: new Date("2026-11-22T10:00:00Z") });

  expect(file).toContain("DTSTART;TZID=Asia/Kolkata:20261124T100000\r\n");
  expect(file).toContain("LOCATION:A\\; B\\, C\r\n");
  expect(file).toContain("DTSTAMP:20261122T100000Z\r\n");
});

test("any other result has no card", async () => {
  await renderChat(
    <main>
      <ResultCard output={{ vehicle_id: "V1" }} onPick={undefined} />
    </main>,
  );

  expect(screen.getByRole("main")).toBeEmptyDOMElement();
});
