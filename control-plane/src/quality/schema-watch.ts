/**
 * Why: a recording is held against the forms that the ledger has before it. They are folded from the ledger once and then kept up
 * to date; whoever introduces a form says which entry of its class came last, so that the ledger refuses a decision on old forms.
 */
import type { FactBody, NewFact } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { Ledger, StoredEntry } from '../ports.ts';
import type { CheckReport } from './finding.ts';
import { type FormComparison, formClassOf, type FormOrigin, KnownForms } from './known-forms.ts';
import { type FormSpan, withFormChanges } from './schema-findings.ts';
import type { Standard } from './standard.ts';
import type { TopicForm } from './topic-form.ts';

/** One recording that was checked and is to be filed. */
export type WatchedRecording = FormSpan & {
  readonly origin: FormOrigin;
  readonly topics: readonly TopicForm[];
  readonly report: CheckReport;
};

/** What is to be filed with the recording. */
export type WatchOutcome = {
  readonly report: CheckReport;
  /** The forms that it introduces, and the sequence that their subject must have before. */
  readonly introduced?: { readonly fact: NewFact; readonly formerSequence: number };
};

export class SchemaWatch {
  readonly #standard: Standard;
  readonly #known = new KnownForms();
  /** Sequence of the last fact about forms of each class. */
  readonly #sequences = new Map<string, number>();
  #readUpTo = 0;

  constructor(standard: Standard) {
    this.#standard = standard;
  }

  /** Folds one entry; entries of one subject come in their order, and one that was folded before changes nothing. */
  add({ sequence, entry }: Pick<StoredEntry, 'sequence'> & { readonly entry: Pick<NewFact, 'kind' | 'body'> }): void {
    if (entry.kind === 'recording.accepted') {
      const { vehicle, software } = (entry.body as FactBody<'recording.accepted'>).metadata;
      this.#known.addVersion({ vehicleId: vehicle.id, softwareVersion: software.version });
    } else if (entry.kind === 'form.introduced') {
      const { topics, ...origin } = entry.body as FactBody<'form.introduced'>;
      const key = formClassOf(origin);
      if (sequence <= (this.#sequences.get(key) ?? 0)) return;
      this.#sequences.set(key, sequence);
      this.#known.addForms(origin, topics);
    }
  }

  /** `sequence` is the last one that was read from the ledger. */
  readUpTo(sequence: number): void {
    this.#readUpTo = Math.max(this.#readUpTo, sequence);
  }

  /** Reads what others have written since; for a writer that the ledger refused. */
  async catchUp(ledger: Ledger): Promise<void> {
    const size = await ledger.size();
    if (size <= this.#readUpTo) return;
    for await (const stored of ledger.read({ fromSequence: this.#readUpTo + 1, toSequence: size })) this.add(stored);
    this.readUpTo(size);
  }

  /** What the recording changes against the forms that are known now. */
  judge(recording: WatchedRecording): WatchOutcome {
    const { origin, report } = recording;
    const comparison = this.#compare(recording);
    const judged = withFormChanges(report, comparison.changes, {
      standard: this.#standard,
      later: origin,
      span: recording,
    });
    if (comparison.introduced.length === 0) return { report: judged };
    const formerSequence = this.#sequences.get(formClassOf(origin)) ?? 0;
    return { report: judged, introduced: { fact: introducedFact(origin, comparison.introduced), formerSequence } };
  }

  /**
   * The turn in which it must be judged and filed: the class of its vehicle where it is the first of anything. References do not
   * change once they are there, so all others need none.
   */
  turnOf(recording: WatchedRecording): string | undefined {
    const { origin } = recording;
    const isFirst = this.#compare(recording).introduced.length > 0 || this.#known.isUpdate(origin);
    return isFirst ? formClassOf(origin) : undefined;
  }

  #compare({ origin, topics }: WatchedRecording): FormComparison {
    return this.#known.compare(origin, topics);
  }
}

/** Ingest is the actor: whoever brought the recording had no say in its forms. */
function introducedFact(origin: FormOrigin, topics: readonly TopicForm[]): NewFact {
  return {
    kind: 'form.introduced',
    key: digestOfDocument(formClassOf(origin)).slice('sha256:'.length),
    actor: 'ingest',
    evidence: [origin.recording],
    body: { ...origin, topics: topics.map((form) => ({ ...form, fields: [...form.fields] })) },
  };
}
