import type { Booking } from "./shapes";

const HOUR_MS = 3_600_000;
const HOURS = 2;
const A_DAY = 24;

/** The appointment as an iCalendar file (RFC 5545), in the dealers' zone. */
export function asCalendar(booking: Booking, { now }: { now: Date }): string {
  const begins = beginOf(booking);
  const ends = new Date(begins.getTime() + hoursOf(booking.estimated_duration) * HOUR_MS);
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//MSIL MCP Server//Service booking//EN",
    "BEGIN:VTIMEZONE",
    "TZID:Asia/Kolkata",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0530",
    "TZOFFSETTO:+0530",
    "END:STANDARD",
    "END:VTIMEZONE",
    "BEGIN:VEVENT",
    `UID:${booking.booking_id}@msil-mcp`,
    `DTSTAMP:${now.toISOString().replace(/[-:]|\.\d+/g, "")}`,
    `DTSTART;TZID=Asia/Kolkata:${onTheClock(begins)}`,
    `DTEND;TZID=Asia/Kolkata:${onTheClock(ends)}`,
    `SUMMARY:${escaped(`${booking.vehicle_registration ?? ""} ${booking.dealer_name}`.trim())}`,
    `LOCATION:${escaped(booking.dealer_name)}`,
    `DESCRIPTION:${escaped(booking.booking_id)}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** What the clock at the dealer's shows then; Invalid Date for what is no date. */
export function beginOf(booking: Booking): Date {
  return new Date(`${booking.appointment_date}T${booking.appointment_time.slice(0, 5)}:00Z`);
}

/** "20261124T160000": the hands of a clock, without a zone. */
function onTheClock(moment: Date): string {
  return moment.toISOString().slice(0, 19).replace(/[-:]/g, "");
}

/** The most that "3-4 hours" or "1-2 days" says. */
function hoursOf(duration: string | undefined): number {
  const found = /(\d+)\s*(hour|day)/i.exec(duration ?? "");
  if (!found) return HOURS;
  return Number(found[1]) * (found[2]?.toLowerCase() === "day" ? A_DAY : 1);
}

function escaped(text: string): string {
  return text.replace(/[\\;,]/g, (mark) => `\\${mark}`).replace(/\r?\n/g, "\\n");
}

/** Offers a text as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Some browsers read it only afterwards.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
