/**
 * Takes the uplink on a thread of its own. In the main thread, whose heap is large, every few mebibytes of payloads would have all of
 * it marked once more: that costs several times what the payloads do. What needs the ledger is asked here.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { FleetError } from '@fleetloop/schemas';
import type { Logger } from 'pino';
import type { GatedIntake, IntakeOutcome } from '../ingest/intake.ts';
import type { UplinkQuestion, UplinkSaid, UplinkThreadSettings, UplinkTold } from './uplink-thread.ts';

const THREAD = join(import.meta.dirname, 'uplink-thread.ts');
const RESTART_DELAY_MS = 500;
/** What lives longer than a message is small: a small young generation is collected often, and with it the payloads. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 3 } as const;

export type ThreadedUplinkParts = Omit<UplinkThreadSettings, 'logsChunks'> & {
  readonly intake: GatedIntake;
  readonly logger: Logger;
};

/** Consumes all lanes until `signal` aborts; resolves when the last message in work is answered. */
export async function consumeUplinkOnThread(parts: ThreadedUplinkParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await runThread(parts, signal);
    } catch (error) {
      // Nothing is lost: what it had in work is delivered again.
      parts.logger.warn({ err: error }, 'ingest.uplink.interrupted');
    }
    if (!signal.aborted) await delay(RESTART_DELAY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function runThread(parts: ThreadedUplinkParts, signal: AbortSignal): Promise<void> {
  const { intake, logger, ...settings } = parts;
  const workerData: UplinkThreadSettings = { ...settings, logsChunks: logger.isLevelEnabled('debug') };
  const thread = new Worker(THREAD, { workerData, resourceLimits: THREAD_LIMITS });
  const tell = (told: UplinkTold): void => thread.postMessage(told);
  const stop = (): void => tell({ kind: 'stop' });
  thread.on('message', (said: UplinkSaid) => {
    if (said.kind === 'log') logger[said.level](said.fields, said.event);
    else void answer(intake, said.id, said.question).then(tell);
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    // Rejects with what the thread throws.
    await once(thread, 'exit');
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Never rejects. */
async function answer(intake: GatedIntake, id: number, question: UplinkQuestion): Promise<UplinkTold> {
  try {
    return { kind: 'answered', id, outcome: await decide(intake, question) };
  } catch (error) {
    const { code, message } = FleetError.from(error);
    return { kind: 'failed', id, code, message };
  }
}

async function decide(intake: GatedIntake, question: UplinkQuestion): Promise<IntakeOutcome | undefined> {
  const { vehicleId } = question;
  switch (question.kind) {
    case 'admit':
      return intake.admitChunk(vehicleId, question.claimed);
    case 'chunk':
      return intake.takeChunk(vehicleId, question);
    case 'manifest':
      return intake.takeManifest(vehicleId, question.bytes);
    case 'tombstone':
      return intake.takeTombstone(vehicleId, question.bytes);
    case 'refusal':
      return intake.takeRelayRefusal(vehicleId, question.bytes);
  }
}
