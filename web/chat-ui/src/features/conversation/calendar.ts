import type { Booking } from "./shapes";

const HOURS = 2;

/** The appointment as an iCalendar file (RFC 5545), in the dealers' zone. */
export function asCalendar(booking: Booking, { now }: { now: Date }): string {
  const [hour = "0", minute = "0"] = booking.appointment_time.split(":");
  const day = booking.appointment_date.replaceAll("-", "");
  const at = (hours: number) => `${day}T${String(hours).padStart(2, "0")}${minute.padStart(2, "0")}00`;
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
    `DTSTART;TZID=Asia/Kolkata:${at(Number(hour))}`,
    `DTEND;TZID=Asia/Kolkata:${at(Number(hour) + HOURS)}`,
    `SUMMARY:${escaped(`${booking.vehicle_registration ?? ""} ${booking.dealer_name}`.trim())}`,
    `LOCATION:${escaped(booking.dealer_name)}`,
    `DESCRIPTION:${escaped(booking.booking_id)}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return `${lines.join("\r\n")}\r\n`;
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
  URL.revokeObjectURL(url);
}
