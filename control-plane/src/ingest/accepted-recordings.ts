/** Which recordings and events are in the ledger already, so that an event counts once however often it arrives. */
import type { Digest, FactBody } from '@fleetloop/schemas';
import type { Ledger, StoredEntry } from '../ports.ts';

/** Manifests that are kept in mind. */
const LAST_MANIFESTS_MAX = 256;

export type Accepted = { readonly recording: Digest; readonly sequence: number };

/** An index over the ledger's `recording.accepted` facts; the ledger itself still decides every race. */
export class AcceptedRecordings {
  readonly #byRecording = new Map<string, Accepted>();
  readonly #byEvent = new Map<string, Accepted>();
  readonly #manifests: Digest[] = [];

  /**
   * Reads the whole ledger once; `visit` sees each entry as well, so that nobody else has to read it again. An acceptance whose check
   * does not stand was torn from it by a server that ran out of room: that recording is not known, so that it is filed to its end when
   * it comes again.
   */
  static async load(ledger: Ledger, visit: (stored: StoredEntry) => void = () => {}): Promise<AcceptedRecordings> {
    const accepted = new AcceptedRecordings();
    const torn = new Map<string, string | undefined>();
    const size = await ledger.size();
    if (size === 0) return accepted;
    for await (const stored of ledger.read({ fromSequence: 1, toSequence: size })) {
      const { sequence, entry } = stored;
      if (entry.kind === 'recording.accepted') {
        accepted.add(entry.body, sequence);
        torn.set(entry.body.recording, eventOf(entry.body));
      }
      if (entry.kind === 'recording.checked') torn.delete(entry.body.recording);
      visit(stored);
    }
    for (const [recording, event] of torn) {
      accepted.#byRecording.delete(recording);
      if (event !== undefined) accepted.#byEvent.delete(event);
    }
    return accepted;
  }

  add(body: FactBody<'recording.accepted'>, sequence: number): void {
    const accepted = { recording: body.recording as Digest, sequence };
    this.#byRecording.set(body.recording, accepted);
    if (body.manifest !== null) this.#manifests.push(body.manifest as Digest);
    if (this.#manifests.length > LAST_MANIFESTS_MAX) this.#manifests.shift();
    const event = eventOf(body);
    if (event !== undefined) this.#byEvent.set(event, accepted);
  }

  /** Manifests of the recordings that were uploaded last, oldest first. */
  lastManifests(): readonly Digest[] {
    return this.#manifests;
  }

  /** The fact that holds this recording, or the event of this vehicle under other bytes. */
  find(recording: Digest, event?: { readonly vehicleId: string; readonly eventId: string }): Accepted | undefined {
    return (
      this.#byRecording.get(recording) ??
      (event === undefined ? undefined : this.#byEvent.get(eventKey(event.vehicleId, event.eventId)))
    );
  }
}

function eventOf({ metadata: { vehicle, event } }: FactBody<'recording.accepted'>): string | undefined {
  return event === undefined ? undefined : eventKey(vehicle.id, event.id);
}

/** Ids hold no slash, so that two pairs never share a key. */
function eventKey(vehicleId: string, eventId: string): string {
  return `${vehicleId}/${eventId}`;
}
