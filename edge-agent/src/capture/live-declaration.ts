/** From the declaration on the wire to the one of the intake. */
import { FleetError } from '@fleetloop/schemas';
import { SourceClockDeclaration } from '@fleetloop/schemas/time';
import type { DeclareChannel } from '@fleetloop/schemas/wire';
import type { ChannelDeclaration } from './live-channels.ts';

const CLOCK_TEXT_MAX = 1_024;

/** @throws FleetError PUBLISH_MALFORMED, CLOCK_INVALID */
export function toDeclaration({ topic, form, rateHz, isLatched, clock }: DeclareChannel): ChannelDeclaration {
  const rest = {
    topic,
    ...(rateHz === 0 ? {} : { rateHz }),
    isLatched,
    ...(clock === '' ? {} : { clock: parseClock(clock, topic) }),
  };
  switch (form.case) {
    case 'signals':
      return { ...rest, form: { kind: 'signal', signals: form.value.signals.map(toSignal) } };
    case 'opaque': {
      const { schemaName, messageEncoding, schemaEncoding, schemaData } = form.value;
      // The bytes may lie in a frame that is used again.
      return {
        ...rest,
        form: { kind: 'opaque', schemaName, messageEncoding, schemaEncoding, schemaData: schemaData.slice() },
      };
    }
    case undefined:
      throw new FleetError('PUBLISH_MALFORMED', `${topic} declares neither signals nor a schema`);
  }
}

function toSignal({ path, field, unit }: { path: string; field: string; unit: string }): {
  path: string;
  field?: string;
  unit?: string;
} {
  return { path, ...(field === '' ? {} : { field }), ...(unit === '' ? {} : { unit }) };
}

function parseClock(text: string, topic: string): SourceClockDeclaration {
  let value: unknown;
  try {
    value = text.length > CLOCK_TEXT_MAX ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = SourceClockDeclaration.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FleetError('CLOCK_INVALID', `${topic} declares a clock that is none: kind utc, gps, tai, boot or local`);
}
