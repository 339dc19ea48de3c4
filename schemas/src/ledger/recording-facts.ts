/** The facts about recordings: what became of each, what was found in it, and in which form its topics came. */
import { z } from 'zod';
import { digestText } from '../package/bundle.ts';
import { TimeOfDay } from '../record/circumstances.ts';
import { RecordingMetadata } from '../record/recording-metadata.ts';
import { shortText, text } from './fact-fields.ts';

export const RECORDING_FACTS = {
  'recording.accepted': z.strictObject({
    recording: digestText,
    source: z.enum(['uplink', 'import']),
    sizeBytes: z.int().min(0),
    messages: z.int().min(0),
    startNs: z.string(),
    endNs: z.string(),
    topics: z.record(z.string(), z.int()),
    metadata: RecordingMetadata,
    /** Digest of the manifest that brought it; null for an import. */
    manifest: digestText.nullable(),
    /** Computed from the position and time in the recording; absent where neither it nor the session tells. */
    timeOfDay: TimeOfDay.optional(),
    /** Names source files and specification of an import: the same again need not be decoded. */
    importKey: digestText.optional(),
  }),
  'recording.quarantined': z.strictObject({
    recording: digestText,
    vehicleId: z.string(),
    eventId: z.string(),
    code: shortText,
    message: text,
    source: z.enum(['uplink', 'import', 'relay']),
    /** Digest of the report with all findings, where the standard kept it out. */
    report: digestText.optional(),
    /** What an import told about it, for the case that somebody releases it. */
    importKey: digestText.optional(),
    label: z.strictObject({ label: shortText, method: text }).optional(),
  }),
  /** What a quality standard found in a recording; the whole report is a blob. */
  'recording.checked': z.strictObject({
    recording: digestText,
    standard: z.strictObject({ name: shortText, version: z.int().min(1), digest: digestText }),
    verdict: z.enum(['accepted', 'accepted_with_findings', 'quarantined']),
    findings: z
      .array(
        z.strictObject({
          rule: shortText,
          version: z.int().min(1),
          severity: z.enum(['info', 'warning', 'error']),
          topic: z.string().nullable(),
          fromNs: z.string().nullable(),
          toNs: z.string().nullable(),
          message: text,
        }),
      )
      .max(64),
    /** Of all findings of the report; `suppressed` ones are in no list. */
    count: z.strictObject({
      info: z.int().min(0),
      warning: z.int().min(0),
      error: z.int().min(0),
      suppressed: z.int().min(0),
    }),
    report: digestText,
  }),
  /** Somebody takes a recording in that broke the standard; the check with its findings stands beside it. */
  'recording.released': z.strictObject({
    recording: digestText,
    /** Sequence of its quarantine. */
    quarantine: z.int().min(1),
    reason: text.min(1),
  }),
  /**
   * Forms of topics that a software version was seen with for the first time: later recordings are compared with them. The key
   * stands for the vehicles that should send the same, so that two writers cannot both be the first.
   */
  'form.introduced': z.strictObject({
    recording: digestText,
    vehicleId: shortText,
    hardwareRevision: shortText,
    softwareName: shortText,
    softwareVersion: shortText,
    /** Of a simulated recording; empty for a vehicle. */
    generator: z.string().max(256),
    topics: z
      .array(
        z.strictObject({
          topic: z.string().max(256),
          encoding: z.string().max(256),
          schemaName: z.string().max(256),
          schema: digestText.nullable(),
          fields: z
            .array(z.strictObject({ name: z.string().max(256), type: z.string().max(64), unit: z.string().max(256) }))
            .max(128),
          isDeclared: z.boolean(),
          sampled: z.int().min(0),
          isCut: z.boolean(),
          rateHz: z.number().nullable(),
        }),
      )
      .min(1)
      .max(256),
  }),
  /** A recording that the vehicle lost before it was verified: what its signed tombstone says. */
  'recording.evicted': z.strictObject({
    vehicleId: shortText,
    eventId: shortText,
    /** Null when it was never written as a whole. */
    recording: digestText.nullable(),
    sizeBytes: z.int().min(0),
    priority: z.string(),
    session: z.string(),
    campaigns: z.array(z.string()).max(1_000),
    startNs: z.string(),
    endNs: z.string(),
    code: z.string(),
    reason: text,
    /** Clock of the vehicle. */
    lostAt: z.iso.datetime(),
    /** Digest of the signed message. */
    tombstone: digestText,
  }),
} as const;
