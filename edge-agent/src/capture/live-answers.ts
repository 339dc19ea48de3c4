/** The frames that an agent and a publisher exchange besides messages: read, checked, and written. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FleetError } from '@fleetloop/schemas';
import { type ToAgent, ToAgentSchema, ToPublisherSchema } from '@fleetloop/schemas/wire';
import { toFrame } from '../publish/publish-frames.ts';
import { frameBytesMax, type LiveLimits } from './live-limits.ts';

const PROTOCOL_VERSION = 1;
const PUBLISHER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export type ToPublisherKind = NonNullable<Parameters<typeof create<typeof ToPublisherSchema>>[1]>['kind'];

/** @throws FleetError PUBLISH_MALFORMED */
export function decodeToAgent(frame: Uint8Array): ToAgent {
  try {
    return fromBinary(ToAgentSchema, frame);
  } catch (cause) {
    throw new FleetError('PUBLISH_MALFORMED', 'a frame is not a ToAgent message: check the publisher', { cause });
  }
}

/** A frame with one answer. */
export function encodeToPublisher(kind: ToPublisherKind): Uint8Array {
  return toFrame(toBinary(ToPublisherSchema, create(ToPublisherSchema, kind === undefined ? {} : { kind })));
}

/** @throws FleetError PUBLISH_MALFORMED */
export function checkHello(version: number, publisher: string): void {
  if (version === PROTOCOL_VERSION && PUBLISHER_NAME.test(publisher)) return;
  throw new FleetError(
    'PUBLISH_MALFORMED',
    `the hello must name protocol version ${PROTOCOL_VERSION} and a publisher of up to 64 letters, digits, ".", "_", "-"`,
  );
}

/** The answer to a hello: what the publisher may do. */
export function welcomeOf(limits: LiveLimits): ToPublisherKind {
  return {
    case: 'welcome',
    value: {
      protocolVersion: PROTOCOL_VERSION,
      agent: 'fleetloop',
      frameBytesMax: frameBytesMax(limits),
      messageBytesMax: limits.messageBytesMax,
      channelsMax: limits.channelsPerPublisherMax,
      credit: { messages: limits.windowMessages, bytes: limits.windowBytes },
    },
  };
}
