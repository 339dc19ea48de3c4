/** A status with everything in it, for the tests of what is made of one. */
import { parseEventId } from '@fleetloop/schemas';
import type { AgentStatus } from './agent-status.ts';

export const EVENT_ID = parseEventId('ev-0123456789abcdef01234567');

export const STATUS: AgentStatus = {
  kind: 'agent-status',
  vehicleId: 'vehicle-1',
  at: '2026-01-02T03:04:05.000Z',
  uptimeMs: 3_720_000,
  softwareVersion: '1.0.0',
  hardwareRevision: 'A',
  desiredVersion: 3,
  rssBytes: 62_914_560,
  capture: {
    source: 'live',
    messages: 1_000,
    sessionsDone: 0,
    topics: [{ topic: '/vss/Vehicle', seen: 1_000, kept: 10 }],
    findings: [
      { topic: '/vss/Vehicle', finding: 'frozen', atNs: '1', count: 1, detail: 'Vehicle.Speed stands still' },
      { topic: '/sensor/front/camera', finding: 'silent', atNs: '1', count: 1, detail: 'nothing for 3.0 s' },
    ],
    published: [{ topic: '/vss/"Vehicle"\n', taken: 1_000, dropped: 2, refused: 1 }],
    redactionFailures: 4,
  },
  campaigns: [
    { id: 'refused', version: 2, state: 'refused', code: 'SIGNAL_UNKNOWN', reason: 'no such signal' },
    {
      id: 'fast',
      version: 1,
      state: 'active',
      statistics: {
        evaluations: 900,
        fired: 2,
        absent: 3,
        suppressedByCooldown: 1,
        suppressedByBudget: 0,
        failed: 0,
        failureReasons: [],
      },
    },
  ],
  record: {
    session: 'live/1',
    nowNs: 9n,
    pending: [],
    ring: { memoryBytes: 2_097_152, droppedMessages: 0 },
    held: [],
    waitingForDisk: 1,
    lost: 0,
  },
  spool: {
    isOpen: true,
    spooled: 2,
    spooledBytes: 1_048_576,
    verified: 5,
    refused: 1,
    evicted: 3,
    tombstonesWaiting: 2,
    quotaBytes: 10_485_760,
    unsettled: 0,
    disk: { state: 'evicting', freeBytes: 104_857_600 },
  },
  uplink: {
    link: { isConnected: true, refusal: null },
    network: { class: 'metered', leftTodayBytes: { safety: null, normal: 1_048_576, bulk: 0 } },
    flow: { inFlightBytes: 0, windowBytes: 1, goodputBytesPerS: 524_288, roundTripMs: null },
    holds: [{ priority: 'bulk', reason: 'busy', code: 'UPLINK_BUSY', forMs: 1_000 }],
    queuedBytes: { safety: 0, normal: 1_048_576, bulk: 0 },
    queued: { safety: 0, normal: 2, bulk: 0 },
    tombstones: 2,
    unknownReceipts: 0,
    uploads: [],
  },
  pulls: [],
  model: {
    counter: 1,
    activeSlot: 'A',
    slots: [],
    shadowBundle: null,
    refused: null,
    inferences: 50,
    deadlineMisses: 1,
  },
};
