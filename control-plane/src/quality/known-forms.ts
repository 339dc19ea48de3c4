/**
 * Why: a form is compared with those that are known, and which one counts must not depend on when one asks. So the form that a
 * software version was first seen with is the reference of that version for ever, and versions follow each other in the order in
 * which they were first seen; at ingest that is the order of the ledger.
 */
import type { RecordingMetadata } from '@fleetloop/schemas';
import { compareForms, type SchemaChange } from './schema-drift.ts';
import type { TopicForm } from './topic-form.ts';

/** Versions that are kept of one topic: the ones that came last. */
const VERSIONS_MAX = 64;
/** What an importer writes that was not told. */
const UNKNOWN = 'unknown';

/** The recording that forms are of. */
export type FormOrigin = {
  readonly recording: string;
  readonly vehicleId: string;
  readonly hardwareRevision: string;
  readonly softwareName: string;
  readonly softwareVersion: string;
  /** Of a simulated recording; empty for a vehicle. */
  readonly generator: string;
};

/** One topic that has another form than the one that counts. */
export type FormChange = {
  readonly topic: string;
  readonly changes: readonly SchemaChange[];
  readonly former: Pick<FormOrigin, 'recording' | 'vehicleId' | 'softwareVersion'>;
  /** The software version changed as well, or is not known: a change without is one that nobody declared. */
  readonly isVersioned: boolean;
};

export type FormComparison = {
  readonly changes: readonly FormChange[];
  /** Forms that the software version is seen with for the first time: from now on they are its references. */
  readonly introduced: readonly TopicForm[];
};

type Reference = { readonly form: TopicForm; readonly from: FormOrigin };

/** The origin that a recording names itself. */
export function originOf(recording: string, { vehicle, software, circumstances }: RecordingMetadata): FormOrigin {
  return {
    recording,
    vehicleId: vehicle.id,
    hardwareRevision: vehicle.hardwareRevision,
    softwareName: software.name,
    softwareVersion: software.version,
    generator: circumstances?.synthetic?.generator ?? '',
  };
}

/** Vehicles that should send the same: of one hardware revision and one kind of software; one whose revision nobody knows is alone. */
export function formClassOf({ vehicleId, hardwareRevision, softwareName, generator }: FormOrigin): string {
  const design = hardwareRevision === UNKNOWN ? ['vehicle', vehicleId] : ['hardware', hardwareRevision];
  return JSON.stringify([...design, softwareName, generator]);
}

/** Holds no more than the references, however many recordings there are. */
export class KnownForms {
  readonly #classes = new Map<string, Map<string, Reference[]>>();
  readonly #versions = new Map<string, Set<string>>();

  /** Holds the forms of a recording against what is known before it. */
  compare(from: FormOrigin, forms: readonly TopicForm[]): FormComparison {
    const topics = this.#classes.get(formClassOf(from));
    const isUpdated = this.isUpdate(from);
    const changes: FormChange[] = [];
    const introduced: TopicForm[] = [];
    for (const form of forms) {
      const known = topics?.get(form.topic) ?? [];
      const { reference, isNew } = referenceOf(known, { form, from }, isUpdated);
      if (isNew) introduced.push(form);
      const found = reference === undefined ? [] : compareForms(reference.form, form);
      if (reference !== undefined && found.length > 0) changes.push(changeOf(form.topic, found, reference.from, from));
    }
    return { changes, introduced };
  }

  /** Whether the vehicle was seen before, but not with this software. */
  isUpdate({ vehicleId, softwareVersion }: FormOrigin): boolean {
    const versions = this.#versions.get(vehicleId);
    return versions !== undefined && !versions.has(softwareVersion);
  }

  /** A recording was taken in: its vehicle has run this software. */
  addVersion({ vehicleId, softwareVersion }: Pick<FormOrigin, 'vehicleId' | 'softwareVersion'>): void {
    const versions = this.#versions.get(vehicleId) ?? new Set();
    this.#versions.set(vehicleId, versions.add(softwareVersion));
  }

  /** Makes forms the references of their version. */
  addForms(from: FormOrigin, introduced: readonly TopicForm[]): void {
    const key = formClassOf(from);
    const topics = this.#classes.get(key) ?? new Map<string, Reference[]>();
    this.#classes.set(key, topics);
    for (const form of introduced) {
      const references = topics.get(form.topic) ?? [];
      references.push({ form, from });
      if (references.length > VERSIONS_MAX) references.shift();
      topics.set(form.topic, references);
    }
  }
}

/** Which known form a form is held against. The first recording of a vehicle after its update says once more what the update changed. */
function referenceOf(
  known: readonly Reference[],
  { form, from }: Reference,
  isUpdated: boolean,
): { readonly reference: Reference | undefined; readonly isNew: boolean } {
  const isOfVersion = ({ from: { softwareVersion } }: Reference): boolean => softwareVersion === from.softwareVersion;
  if (from.softwareVersion === UNKNOWN) {
    // Nobody can say which of them belongs to which software: one that was seen before is no news.
    const same = known.find((reference) => isOfVersion(reference) && compareForms(reference.form, form).length === 0);
    return same === undefined ? { reference: known.at(-1), isNew: true } : { reference: undefined, isNew: false };
  }
  const index = known.findIndex(isOfVersion);
  if (index === -1) return { reference: known.at(-1), isNew: true };
  const own = known[index] as Reference;
  const isDeviant = compareForms(own.form, form).length > 0;
  return { reference: isDeviant || !isUpdated ? own : known[index - 1], isNew: false };
}

function changeOf(topic: string, changes: readonly SchemaChange[], former: FormOrigin, later: FormOrigin): FormChange {
  const { recording, vehicleId, softwareVersion } = former;
  const isVersioned = softwareVersion !== later.softwareVersion || softwareVersion === UNKNOWN;
  return { topic, changes, former: { recording, vehicleId, softwareVersion }, isVersioned };
}
