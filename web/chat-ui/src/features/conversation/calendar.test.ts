import { expect, test } from "vitest";

import { asCalendar } from "./calendar";

const BOOKING = { booking_id: "BK1", status: "CONFIRMED", dealer_name: "Baner, Pune", appointment_date: "2026-12-31", appointment_time: "16:30" };

test.each([
  ["3-4 hours", "20261231T203000"],
  ["1-2 days", "20270102T163000"],
  [undefined, "20261231T183000"],
])("a visit of %s ends in the calendar when the car is ready", (estimated_duration, ends) => {
  const booking = estimated_duration === undefined ? BOOKING : { ...BOOKING, estimated_duration };

  const calendar = asCalendar(booking, { now: new Date("2026-11-22T10:00:00Z") });

  expect(calendar).toContain("DTSTART;TZID=Asia/Kolkata:20261231T163000");
  expect(calendar).toContain(`DTEND;TZID=Asia/Kolkata:${ends}`);
  expect(calendar).toContain("LOCATION:Baner\\, Pune");
});
