import { Badge, Button, Card, Group, Rating, Stack, Text, Title } from "@mantine/core";
import { IconCalendarPlus, IconCircleCheck, IconMapPin } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

import { useLocale } from "../../shared/i18n";
import { asCalendar, beginOf, download } from "./calendar";
import classes from "./Message.module.css";
import { plain } from "./plain";
import { type Booking, bookingIn, type Dealer, dealersIn, type Slot, slotsIn } from "./shapes";

interface Props {
  output: unknown;
  /** Says something in the conversation; absent where nothing can be picked any more. */
  onPick: ((text: string) => void) | undefined;
}

/** A result that people read better than JSON; nothing for any other. */
export function ResultCard({ output, onPick }: Props) {
  const dealers = dealersIn(output);
  if (dealers) return <Dealers dealers={dealers} onPick={onPick} />;
  const slots = slotsIn(output);
  if (slots) return <Slots slots={slots} onPick={onPick} />;
  const booking = bookingIn(output);
  return booking ? <BookingCard booking={booking} onPick={onPick} /> : null;
}

function Dealers({ dealers, onPick }: { dealers: Dealer[]; onPick: Props["onPick"] }) {
  const { t } = useTranslation();
  const kilometres = new Intl.NumberFormat(useLocale(), { style: "unit", unit: "kilometer", maximumFractionDigits: 1 });
  return (
    <Stack gap="xs" role="list" aria-label={t("conversation.dealers")}>
      {dealers.map((dealer) => (
        <Card key={dealer.dealer_code} withBorder padding="sm" role="listitem">
          <Group justify="space-between" wrap="nowrap" align="flex-start">
            <div>
              <Text fw={600}>{plain(dealer.name)}</Text>
              <Text size="sm" c="dimmed">
                {plain([dealer.area, dealer.address].filter(Boolean).join(" · "))}
              </Text>
            </div>
            {onPick && (
              <Button size="compact-sm" variant="default" flex="none" onClick={() => onPick(dealer.name)}>
                {t("conversation.choose")}
                <span className="msil-visually-hidden"> {plain(dealer.name)}</span>
              </Button>
            )}
          </Group>
          <Group gap="md" mt={4}>
            {dealer.distance_km != null && (
              <Group gap={4}>
                <IconMapPin size={14} aria-hidden />
                <Text size="sm">{kilometres.format(dealer.distance_km)}</Text>
              </Group>
            )}
            {dealer.rating !== undefined && (
              <Group gap={4}>
                <Rating value={dealer.rating} fractions={2} readOnly size="xs" aria-hidden />
                <Text size="sm">
                  {dealer.rating}
                  <span className="msil-visually-hidden"> {t("conversation.ofFive")}</span>
                </Text>
              </Group>
            )}
          </Group>
        </Card>
      ))}
    </Stack>
  );
}

const NOON = "12:30";

function Slots({ slots, onPick }: { slots: Slot[]; onPick: Props["onPick"] }) {
  const { t } = useTranslation();
  const parts = [
    { key: "morning", slots: slots.filter((slot) => slot.time < NOON) },
    { key: "afternoon", slots: slots.filter((slot) => slot.time >= NOON) },
  ] as const;
  return (
    <Card withBorder padding="sm">
      <Stack gap="xs">
        {parts.map(
          (part) =>
            part.slots.length > 0 && (
              <div key={part.key} role="group" aria-label={t(`conversation.${part.key}`)}>
                <Text size="sm" c="dimmed" mb={4}>
                  {t(`conversation.${part.key}`)}
                </Text>
                <Group gap="xs">
                  {part.slots.map((slot) => (
                    <Button
                      key={slot.slot_id}
                      size="compact-md"
                      variant="default"
                      disabled={!slot.available || !onPick}
                      title={slot.available ? undefined : t("conversation.full")}
                      onClick={() => onPick?.(slot.time)}
                    >
                      {slot.time}
                    </Button>
                  ))}
                </Group>
              </div>
            ),
        )}
      </Stack>
    </Card>
  );
}

const STATUSES = ["CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED"] as const;

function isKnown(status: string): status is (typeof STATUSES)[number] {
  return STATUSES.some((known) => known === status);
}

/** The day at the dealer's, wherever it is read; what is no date stays as it was given. */
function dayInWords(date: string, locale: string): string {
  const day = new Date(`${date}T00:00:00Z`);
  return Number.isNaN(day.getTime()) ? date : day.toLocaleDateString(locale, { dateStyle: "full", timeZone: "UTC" });
}

function BookingCard({ booking, onPick }: { booking: Booking; onPick: Props["onPick"] }) {
  const { t } = useTranslation();
  const day = dayInWords(booking.appointment_date, useLocale());
  const facts = [
    [t("conversation.booking.when"), `${day}, ${booking.appointment_time}`],
    [t("conversation.booking.where"), booking.dealer_name],
    [t("conversation.booking.vehicle"), booking.vehicle_registration],
    [t("conversation.booking.takes"), booking.estimated_duration],
  ].filter((fact): fact is [string, string] => Boolean(fact[1]));
  return (
    <Card withBorder padding="md" component="section" aria-label={booking.booking_id}>
      <Stack gap="sm">
        <Group gap="xs">
          <IconCircleCheck color="var(--mantine-color-green-text)" aria-hidden />
          <Title order={3} size="h4" ff="monospace">
            {plain(booking.booking_id)}
          </Title>
          <Badge variant="light" color="green" tt="none">
            {isKnown(booking.status) ? t(`conversation.booking.status.${booking.status}`) : plain(booking.status)}
          </Badge>
        </Group>
        <dl className={classes["fields"]}>
          {facts.map(([name, value]) => (
            <div key={name} style={{ display: "contents" }}>
              <dt>{name}</dt>
              <dd>{plain(value)}</dd>
            </div>
          ))}
        </dl>
        <Group>
          {!Number.isNaN(beginOf(booking).getTime()) && (
            <Button
              size="compact-md"
              variant="default"
              leftSection={<IconCalendarPlus size={16} aria-hidden />}
              onClick={() => download(`${booking.booking_id}.ics`, "text/calendar", asCalendar(booking, { now: new Date() }))}
            >
              {t("conversation.booking.calendar")}
            </Button>
          )}
          {onPick && (
            <Button size="compact-md" variant="default" onClick={() => onPick(t("conversation.booking.ask", { id: booking.booking_id }))}>
              {t("conversation.booking.check")}
            </Button>
          )}
        </Group>
      </Stack>
    </Card>
  );
}
