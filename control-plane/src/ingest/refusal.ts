/** Tells what can never be accepted from what may work a moment later, and keeps the former where people find it. */
import { type Digest, ERROR_TABLE, FleetError, isDigest } from '@fleetloop/schemas';
import type { Readable } from 'node:stream';
import type { Ledger } from '../ports.ts';
import { appendOnce, INGEST_ACTOR, lastEntryOf, quarantineKey, quarantinedFact } from './facts.ts';
import type { Quarantine, QuarantineReason } from './ports.ts';

/** Longest reason of a refusal; a fact takes no longer one. */
const MESSAGE_CHARACTERS_MAX = 4_096;

/** The faults of an upload itself. Anything else, a full disk or a ledger that does not answer, is tried again. */
export function isRefusal(error: unknown): error is FleetError {
  if (!(error instanceof FleetError) || ERROR_TABLE[error.code].retryable) return false;
  // A recording whose metadata do not fit into one ledger entry will not fit the next time either.
  return error.code.startsWith('INGEST_') || error.code === 'LEDGER_ENTRY_INVALID';
}

/** What was refused: the bytes or the file that people may want to look at, and by which digest it is known. */
export type Refused = {
  /** Digest of the manifest, or of the bytes where there is none. */
  readonly refused: Digest;
  readonly reason: QuarantineReason;
  readonly evidence: { readonly file?: string; readonly bytes?: Uint8Array };
  readonly actor?: string;
};

/** What quarantine keeps of an upload that cannot be accepted, wherever it was refused. */
export function refusalReason(
  { recording, vehicleId, eventId }: Pick<QuarantineReason, 'recording' | 'vehicleId' | 'eventId'>,
  { code, message, details }: Pick<FleetError, 'code' | 'message'> & Partial<Pick<FleetError, 'details'>>,
  source: QuarantineReason['source'],
): QuarantineReason {
  const report = details?.['report'];
  const found = typeof report === 'string' && isDigest(report) ? { report } : {};
  return { recording, vehicleId, eventId, code, message: message.slice(0, MESSAGE_CHARACTERS_MAX), source, ...found };
}

export class Refusals {
  readonly #quarantine: Quarantine;
  readonly #ledger: Ledger;

  constructor(quarantine: Quarantine, ledger: Ledger) {
    this.#quarantine = quarantine;
    this.#ledger = ledger;
  }

  /** Keeps the evidence first and writes the fact last: a crash between them repeats both and changes nothing. */
  async record(refused: Refused): Promise<void> {
    const key = quarantineKey(refused.refused);
    await this.#quarantine.keep(key, refused.reason, refused.evidence);
    await appendOnce(this.#ledger, [quarantinedFact(key, refused.reason, refused.actor ?? INGEST_ACTOR)]);
  }

  /** The bytes that are kept under the key of a quarantine, if there was room for them. */
  async open(key: string): Promise<Readable | undefined> {
    return this.#quarantine.open(key);
  }

  /** Why this was refused before, or undefined. */
  async find(refused: Digest): Promise<Pick<QuarantineReason, 'code' | 'message'> | undefined> {
    const stored = await lastEntryOf(this.#ledger, `recording.${quarantineKey(refused)}`);
    if (stored?.entry.kind !== 'recording.quarantined') return undefined;
    const { code, message } = stored.entry.body;
    return { code: code as QuarantineReason['code'], message };
  }
}
