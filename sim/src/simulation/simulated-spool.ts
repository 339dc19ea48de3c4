/** Keeps in memory what the recorder hands on, and notes when it is told of an event that it does not have. */
import { type ClosedRecording, recordingBytes, type RecorderEffect } from '@fleetloop/edge-agent';
import type { SourceMessage } from '@fleetloop/schemas';
import { readRecording } from '@fleetloop/schemas/recording';

export type KeptEvent = {
  readonly recording: ClosedRecording;
  readonly bytes: Uint8Array;
  readonly messages: readonly SourceMessage[];
};

export class SimulatedSpool {
  readonly #open = new Map<string, KeptEvent>();
  readonly settled: KeptEvent[] = [];
  readonly problems: string[] = [];
  /** Recordings that came before it was sure that they would stay as they are. */
  early = 0;

  /** Recordings that are not settled. */
  get open(): number {
    return this.#open.size;
  }

  async take(effects: readonly RecorderEffect[]): Promise<void> {
    for (const effect of effects) {
      if (effect.kind === 'close') await this.#add(effect.recording, effect.isSettled);
      else this.#change(effect);
    }
  }

  async #add(recording: ClosedRecording, isSettled: boolean): Promise<void> {
    const bytes = await recordingBytes(recording);
    recording.release();
    const messages: SourceMessage[] = [];
    for await (const item of readRecording([bytes])) if (item.kind === 'message') messages.push(item.message);
    if (!isSettled) this.early += 1;
    this.#open.delete(recording.id);
    if (isSettled) this.settled.push({ recording, bytes, messages });
    else this.#open.set(recording.id, { recording, bytes, messages });
  }

  #change(effect: Exclude<RecorderEffect, { kind: 'close' }>): void {
    const kept = this.#open.get(effect.eventId);
    this.#open.delete(effect.eventId);
    if (kept === undefined) this.problems.push(`${effect.kind} names ${effect.eventId}, which was not closed`);
    else if (effect.kind === 'settle') this.settled.push(kept);
  }
}
