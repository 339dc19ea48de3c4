/** What an operator may set about uploads: one schema gives type, defaults, checks and documentation. */
import { CHUNK_SIZE_BYTES_MAX } from '@fleetloop/schemas';
import { z } from 'zod';
import { NETWORK_CLASSES, type NetworkClass } from './network-class.ts';

const MIB = 1_024 * 1_024;
/** A chunk with its headers; what is smaller could never let one pass. */
const SMALLEST_BURST_BYTES = 2 * CHUNK_SIZE_BYTES_MAX;

export const NetworkLimits = z.strictObject({
  rateBytesPerS: z.int().min(1).nullable().default(null).describe('Bytes per second on average; null is no limit.'),
  burstBytes: z
    .int()
    .min(SMALLEST_BURST_BYTES)
    .default(4 * MIB)
    .describe('Most bytes that may follow each other after a pause.'),
  dailyBytes: z.int().min(0).nullable().default(null).describe('Bytes per 24 hours; null is no limit.'),
  carryBytes: z.int().min(0).default(0).describe('Most unused bytes of one day that are added to the next.'),
  safetyReserveBytes: z.int().min(0).default(0).describe('Part of the daily bytes that only safety may use.'),
  normalReserveBytes: z.int().min(0).default(0).describe('Part of the daily bytes that bulk may not use.'),
});
export type NetworkLimits = Readonly<z.infer<typeof NetworkLimits>>;

const limits = (defaults: Partial<z.input<typeof NetworkLimits>>) => NetworkLimits.prefault(defaults);

const Networks = z
  .strictObject({
    wifi: limits({}),
    cellular: limits({}),
    metered: limits({ dailyBytes: 200 * MIB, safetyReserveBytes: 50 * MIB, normalReserveBytes: 50 * MIB }),
    roaming: limits({ dailyBytes: 50 * MIB, safetyReserveBytes: 50 * MIB }),
  })
  .prefault({});

const quantum = (priority: string) =>
  z
    .int()
    .min(SMALLEST_BURST_BYTES)
    .describe(`Bytes that ${priority} may send in one round before the next has its turn.`);

const Quanta = z
  .strictObject({
    safety: quantum('safety'),
    normal: quantum('normal'),
    bulk: quantum('bulk'),
  })
  .prefault({ safety: 64 * MIB, normal: 4 * MIB, bulk: MIB });

export const UplinkConfig = z.strictObject({
  networkClass: z.enum(NETWORK_CLASSES).default('wifi').describe('Class of the network while no file says another.'),
  networkClassFile: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('File with one word (wifi, cellular, metered, roaming, offline) that a hook of the system writes.'),
  networks: Networks.describe('Rates and daily budgets of each class; offline sends nothing.'),
  quantaBytes: Quanta.describe('Bytes that each priority may send in one round before the next has its turn.'),
  inFlightBytesMax: z
    .int()
    .min(SMALLEST_BURST_BYTES)
    .max(64 * MIB)
    .default(8 * MIB)
    .describe('Most bytes that wait for the server; bounds memory.'),
  storedAskMs: z
    .int()
    .min(1_000)
    .default(1_800_000)
    .describe('A recording that a relay holds is asked for this often until it is verified.'),
});
export type UplinkConfig = Readonly<z.infer<typeof UplinkConfig>>;

/** The defaults of the schema. */
export const DEFAULT_UPLINK_CONFIG: UplinkConfig = UplinkConfig.parse({});

/** What a network may cost; undefined for one that sends nothing. */
export function limitsOf(config: UplinkConfig, networkClass: NetworkClass): NetworkLimits | undefined {
  return networkClass === 'offline' ? undefined : config.networks[networkClass];
}
