/** What a live publisher may send, and the configuration of the live sources. */
import { FleetError } from '@fleetloop/schemas';
import { SourceClockDeclaration } from '@fleetloop/schemas/time';
import { z } from 'zod';

const KIB = 1_024;
const MIB = 1_024 * KIB;
/** Credit comes back in quarters of the window: with two messages in it a largest one always finds room. */
const MESSAGES_PER_WINDOW_MIN = 2;
const text = z.string().min(1).max(256);

const rate = (messagesPerS: number, bytesPerS: number, text: string) => ({
  messagesPerS: z.number().positive().max(10_000_000).default(messagesPerS).describe(`Messages per second. ${text}`),
  bytesPerS: z
    .number()
    .positive()
    .max(4_096 * MIB)
    .default(bytesPerS)
    .describe(`Bytes per second. ${text}`),
});
const TopicRate = z.strictObject(rate(2_000, 16 * MIB, 'What a topic has over it is dropped and counted.'));
const ConnectionRate = z.strictObject(rate(20_000, 64 * MIB, 'A publisher over it is read more slowly.'));

export const LiveLimits = z
  .strictObject({
    connectionsMax: z.int().min(1).max(256).default(16).describe('Publishers at a time, over all live sources.'),
    channelsPerPublisherMax: z.int().min(1).max(1_024).default(64).describe('Channels that one publisher may declare.'),
    topicsMax: z.int().min(1).max(4_096).default(256).describe('Topics of one session.'),
    messageBytesMax: z
      .int()
      .min(KIB)
      .max(64 * MIB)
      .default(MIB)
      .describe('A message over it is refused and counted.'),
    schemaBytesMax: z
      .int()
      .min(0)
      .max(4 * MIB)
      .default(256 * KIB)
      .describe('Most bytes of the schema that a channel declares.'),
    windowMessages: z.int().min(1).max(1_000_000).default(1_024).describe('Messages of one publisher that wait.'),
    windowBytes: z
      .int()
      .min(KIB)
      .max(256 * MIB)
      .default(2 * MIB)
      .describe('Bytes of one publisher that wait; times `connectionsMax` is the most memory of all.'),
    connection: ConnectionRate.prefault({}).describe('A publisher over it is read more slowly.'),
    topic: TopicRate.prefault({}).describe('What a topic has over it is dropped and counted.'),
    topics: z.record(text, TopicRate).default({}).describe('Topics with limits of their own.'),
  })
  .refine(
    ({ windowBytes, messageBytesMax }) => windowBytes >= messageBytesMax * MESSAGES_PER_WINDOW_MIN,
    'windowBytes must hold two messages of messageBytesMax',
  );
export type LiveLimits = z.infer<typeof LiveLimits>;
export type RateLimit = { readonly messagesPerS: number; readonly bytesPerS: number };

/** A frame holds one largest message, or a batch of that size. */
export const frameBytesMax = (limits: LiveLimits): number => limits.messageBytesMax + 4 * KIB + limits.schemaBytesMax;

const NatsSignal = z.strictObject({
  path: text,
  unit: z.string().max(32).optional(),
  /** Dotted name of the number in the JSON document. */
  from: text,
});
const natsKeys = {
  subject: z
    .string()
    .max(256)
    .regex(/^[^\s.]+(\.[^\s.]+)*$/),
  topic: text,
  rateHz: z.number().positive().max(100_000).optional(),
  isLatched: z.boolean().optional(),
};
export const NatsSubject = z.discriminatedUnion('decoding', [
  z.strictObject({
    ...natsKeys,
    decoding: z.literal('json'),
    signals: z.array(NatsSignal).min(1).max(64),
    stamp: z
      .strictObject({
        from: text,
        unit: z.enum(['s', 'ms', 'us', 'ns']),
        clock: SourceClockDeclaration.optional(),
      })
      .optional(),
  }),
  z.strictObject({
    ...natsKeys,
    decoding: z.literal('raw'),
    schemaName: text,
    messageEncoding: text,
    schemaEncoding: z.string().max(64).default(''),
    /** Base64. */
    schemaData: z.base64().default(''),
  }),
]);
export type NatsSubject = z.infer<typeof NatsSubject>;

/** Configuration key `live` of the agent. */
export const LiveConfig = z.strictObject({
  socket: z
    .strictObject({
      path: z.string().min(1).max(4_096).describe('Unix domain socket that publishers connect to.'),
      groupId: z.int().min(0).optional().describe('Group that may connect as well; without it only the agent’s user.'),
    })
    .optional(),
  nats: z
    .strictObject({
      url: text.describe('A nats-server on this machine.'),
      credentialsFile: z.string().optional().describe('A .creds file, where the server asks for one.'),
      subjects: z.array(NatsSubject).min(1).max(256).describe('What is taken from it; see Sources.'),
    })
    .optional(),
  attributes: z.record(text, text).default({}).describe('Attributes of each session.'),
  markers: z.array(text).max(64).default([]).describe('Publishers that may end a session and begin a new one.'),
  clock: z
    .strictObject({
      source: z.enum(['system', 'ntp', 'ptp', 'gps']).default('system').describe('What disciplines the wall clock.'),
      uncertaintyNs: z
        .int()
        .min(0)
        .max(Number.MAX_SAFE_INTEGER)
        .default(1_000_000_000)
        .describe('How far the wall clock is from UTC at most, as the service that disciplines it promises.'),
    })
    .prefault({}),
  limits: LiveLimits.prefault({}),
});
export type LiveConfig = z.infer<typeof LiveConfig>;

/** @throws FleetError CONFIG_INVALID */
export function parseLiveConfig(value: unknown): LiveConfig {
  const parsed = LiveConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FleetError(
    'CONFIG_INVALID',
    `the configuration of the live source is refused: ${z.prettifyError(parsed.error)}`,
  );
}
