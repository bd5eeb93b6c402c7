/** What results of the booking domain look like; read by shape, so that a renamed tool keeps its card. */
export interface Dealer {
  dealer_code: string;
  name: string;
  address?: string;
  area?: string;
  distance_km?: number | null;
  rating?: number;
  phone?: string;
}

export interface Slot {
  slot_id: string;
  time: string;
  available: boolean;
}

export interface Booking {
  booking_id: string;
  status: string;
  dealer_name: string;
  appointment_date: string;
  appointment_time: string;
  vehicle_registration?: string;
  service_type?: string;
  estimated_duration?: string;
}

type Facts = Record<string, unknown>;

function isFacts(value: unknown): value is Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasTexts(value: unknown, ...names: string[]): value is Facts {
  return isFacts(value) && names.every((name) => typeof value[name] === "string");
}

function listOf(value: unknown, name: string): unknown[] | undefined {
  const found = isFacts(value) ? value[name] : undefined;
  return Array.isArray(found) && found.length > 0 ? found : undefined;
}

export function dealersIn(output: unknown): Dealer[] | undefined {
  const found = listOf(output, "dealers");
  return found?.every((one) => hasTexts(one, "dealer_code", "name")) ? (found as unknown as Dealer[]) : undefined;
}

export function slotsIn(output: unknown): Slot[] | undefined {
  const found = listOf(output, "slots");
  return found?.every((one) => hasTexts(one, "slot_id", "time")) ? (found as unknown as Slot[]) : undefined;
}

export function bookingIn(output: unknown): Booking | undefined {
  const isBooking = hasTexts(output, "booking_id", "status", "dealer_name", "appointment_date", "appointment_time");
  return isBooking ? (output as unknown as Booking) : undefined;
}
