/**
 * The thread behind `ThreadedUplink`: it reads the lanes, checks and stages chunks, and asks the main thread for the rest. Its heap
 * holds next to nothing, so that getting rid of the payloads, several times their size of garbage, costs next to nothing either.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorCode, FleetError } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { judgeChunk } from '../ingest/chunk.ts';
import type { ArrivedChunk, Intake, IntakeOutcome } from '../ingest/intake.ts';
import { FolderStaging } from './folder-staging.ts';
import { connectNats } from './nats-connection.ts';
import { consumeUplink, type Lane } from './nats-uplink.ts';
import type { LaneLogger } from './nats-uplink-lane.ts';

export type UplinkThreadSettings = {
  readonly nats: { readonly url: string; readonly jwt: string; readonly seedFile: string };
  /** Of the connection. */
  readonly name: string;
  readonly stream: string;
  readonly consumer: string;
  readonly lanes: readonly Lane[];
  readonly concurrency: number;
  /** Folder of the staged chunks, which is open already. */
  readonly staging: string;
  readonly logsChunks: boolean;
};

export type UplinkQuestion =
  | { readonly kind: 'admit'; readonly vehicleId: string; readonly claimed: string | undefined }
  /** A chunk with other bytes than it claims: the main thread refuses it. */
  | {
      readonly kind: 'chunk';
      readonly vehicleId: string;
      readonly claimed: string | undefined;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'manifest' | 'tombstone' | 'refusal'; readonly vehicleId: string; readonly bytes: Uint8Array };

/** What the thread says. */
export type UplinkSaid =
  | { readonly kind: 'asked'; readonly id: number; readonly question: UplinkQuestion }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn';
      readonly fields: object;
      readonly event: string;
    };

/** What the thread is told. */
export type UplinkTold =
  | { readonly kind: 'answered'; readonly id: number; readonly outcome: IntakeOutcome | undefined }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  /** Finish what is in work and end. */
  | { readonly kind: 'stop' };

const SETTINGS = workerData as UplinkThreadSettings;
const STOP = new AbortController();

class AskedIntake implements Intake {
  readonly #staging = FolderStaging.beside(SETTINGS.staging);
  /** Questions that are open: as many as messages are in work. */
  readonly #open = new Map<number, PromiseWithResolvers<IntakeOutcome | undefined>>();
  #last = 0;

  async takeChunk(vehicleId: string, { claimed, bytes }: ArrivedChunk): Promise<IntakeOutcome> {
    const verdict = judgeChunk(vehicleId, claimed, digestOfBytes(bytes), bytes.length);
    if (verdict.kind === 'bad')
      return this.#decided({ kind: 'chunk', vehicleId, claimed, bytes: Uint8Array.from(bytes) });
    const answered = await this.#ask({ kind: 'admit', vehicleId, claimed });
    if (answered !== undefined) return answered;
    await this.#staging.put(vehicleId, verdict.digest, bytes);
    return { kind: 'stored' };
  }

  async takeManifest(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    return this.#decided({ kind: 'manifest', vehicleId, bytes: Uint8Array.from(bytes) });
  }

  async takeTombstone(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    return this.#decided({ kind: 'tombstone', vehicleId, bytes: Uint8Array.from(bytes) });
  }

  async takeRelayRefusal(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    return this.#decided({ kind: 'refusal', vehicleId, bytes: Uint8Array.from(bytes) });
  }

  settle(told: Exclude<UplinkTold, { readonly kind: 'stop' }>): void {
    const asked = this.#open.get(told.id);
    this.#open.delete(told.id);
    if (told.kind === 'answered') asked?.resolve(told.outcome);
    else asked?.reject(new FleetError(told.code, told.message));
  }

  async #decided(question: UplinkQuestion): Promise<IntakeOutcome> {
    const outcome = await this.#ask(question);
    if (outcome === undefined) throw new FleetError('INTERNAL_UNEXPECTED', `a ${question.kind} was not answered`);
    return outcome;
  }

  /** The bytes of a question are a copy of its own: those of a message stand in a larger buffer, all of which would be sent. */
  async #ask(question: UplinkQuestion): Promise<IntakeOutcome | undefined> {
    const id = (this.#last += 1);
    const asked = Promise.withResolvers<IntakeOutcome | undefined>();
    this.#open.set(id, asked);
    say({ kind: 'asked', id, question });
    return asked.promise;
  }
}

function say(said: UplinkSaid): void {
  parentPort?.postMessage(said);
}

/** Errors cross threads as their code and message. */
function makeLogger(): LaneLogger {
  const logAt =
    (level: 'debug' | 'info' | 'warn') =>
    (fields: { readonly err?: unknown }, event: string): void => {
      const err = fields.err === undefined ? {} : { err: FleetError.from(fields.err).toJSON() };
      if (level !== 'debug' || SETTINGS.logsChunks) say({ kind: 'log', level, fields: { ...fields, ...err }, event });
    };
  return { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn') } as LaneLogger;
}

async function run(): Promise<void> {
  const { nats, name, stream, consumer, lanes, concurrency } = SETTINGS;
  const intake = new AskedIntake();
  parentPort?.on('message', (told: UplinkTold) => (told.kind === 'stop' ? STOP.abort() : intake.settle(told)));
  const connection = await connectNats(nats, name);
  try {
    await consumeUplink(
      { connection, stream, consumer, lanes, concurrency, intake, logger: makeLogger() },
      STOP.signal,
    );
  } finally {
    await connection.close();
    parentPort?.close();
  }
}

await run();
