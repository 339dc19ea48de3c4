/**
 * Applies the redaction rules to a message before anything of it is written. A rule that cannot be applied to a message keeps
 * that message out of the recording: redaction fails closed.
 */
import {
  type Channel,
  FleetError,
  type OpaqueMessage,
  type RedactionRecord,
  type SignalMessage,
  type SourceMessage,
} from '@fleetloop/schemas';
import { blankPayload, type ImageBlanker } from './redaction-image.ts';
import { changeFields, hashIdentifier, roundField, roundTo } from './redaction-json.ts';
import { RedactionLog } from './redaction-log.ts';
import { coversTopic, type RedactionRule } from './redaction-rules.ts';

export type RedactorOptions = {
  readonly rules: readonly RedactionRule[];
  /** Key of the keyed hash; required when a rule hashes. */
  readonly hashKey: Uint8Array | undefined;
  readonly blanker: ImageBlanker;
  /** Called with each message that a rule could not be applied to and that is therefore not recorded. */
  readonly onFailure: (rule: string, topic: string, error: FleetError) => void;
};

/** The metadata record of a recording that holds the attributes; it stands where a message's topic would. */
const SESSION_RECORD = 'fleet.session';

type Redacted = SourceMessage | undefined;
type Step = { readonly rule: RedactionRule; readonly run: (message: SourceMessage) => Redacted | Promise<Redacted> };

export class Redactor {
  readonly #options: RedactorOptions;
  readonly #log = new RedactionLog();
  /** What is to be done per channel, worked out once. */
  #steps = new Map<Channel, readonly Step[]>();
  #failures = 0;
  /** What was done to the attributes of the session. */
  #attributeRecords: RedactionRecord[] = [];
  /** Paths of channels that are dropped by their topic. */
  readonly #droppedPaths = new Set<string>();

  /** @throws FleetError RECORD_REDACTION when a rule hashes and there is no key */
  constructor(options: RedactorOptions) {
    this.#options = options;
    if (options.rules.some((rule) => rule.kind === 'hash') && options.hashKey === undefined)
      throw new FleetError(
        'RECORD_REDACTION',
        'a redaction rule hashes but no key is configured: set redaction.hashKeyFile',
      );
  }

  /** Messages that were kept out because a rule could not be applied. */
  get failures(): number {
    return this.#failures;
  }

  startSession(): void {
    this.#steps = new Map();
    this.#log.clear();
  }

  /** The message as it may be written, or undefined when it may not; a promise only where an image has to be worked on. */
  apply(message: SourceMessage): Redacted | Promise<Redacted> {
    let steps = this.#steps.get(message.channel);
    if (steps === undefined) this.#steps.set(message.channel, (steps = this.#stepsFor(message.channel)));
    return steps.length === 0 ? message : this.#run(steps, message);
  }

  /** The attributes of a session as they may be written. */
  attributes(attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const { rules, hashKey } = this.#options;
    const changed = { ...attributes };
    this.#attributeRecords = [];
    for (const rule of rules) {
      if (rule.kind !== 'hash' || hashKey === undefined) continue;
      const names = (rule.attributes ?? []).filter((name) => Object.hasOwn(changed, name));
      for (const name of names) changed[name] = hashIdentifier(hashKey, changed[name]);
      if (names.length > 0)
        this.#attributeRecords.push({ rule: rule.name, kind: rule.kind, topic: SESSION_RECORD, messages: 0 });
    }
    return changed;
  }

  /** Whether values of a path may leave the vehicle only changed, or not at all. */
  covers(path: string): boolean {
    if (this.#droppedPaths.has(path)) return true;
    return this.#options.rules.some((rule) => 'paths' in rule && rule.paths?.includes(path) === true);
  }

  /** What was applied in an interval of the session, for the recording. */
  between(startNs: bigint, endNs: bigint): readonly RedactionRecord[] {
    return [...this.#attributeRecords, ...this.#log.between(startNs, endNs)];
  }

  #run(steps: readonly Step[], message: SourceMessage): Redacted | Promise<Redacted> {
    let current: SourceMessage = message;
    for (const [index, { rule, run }] of steps.entries()) {
      this.#log.add(rule, message.channel.topic, message.logTimeNs);
      let next: Redacted | Promise<Redacted>;
      try {
        next = run(current);
      } catch (error) {
        return this.#fail(rule, message, error);
      }
      if (next instanceof Promise) {
        const rest = steps.slice(index + 1);
        return next.then(
          (redacted) => (redacted === undefined ? undefined : this.#run(rest, redacted)),
          (error: unknown) => this.#fail(rule, message, error),
        );
      }
      if (next === undefined) return undefined;
      current = next;
    }
    return current;
  }

  #fail(rule: RedactionRule, message: SourceMessage, error: unknown): undefined {
    this.#failures += 1;
    this.#options.onFailure(rule.name, message.channel.topic, FleetError.from(error, 'RECORD_REDACTION'));
    return undefined;
  }

  #stepsFor(channel: Channel): readonly Step[] {
    const isDropped = this.#options.rules.some(
      (rule) => rule.kind === 'drop' && coversTopic(rule.topics, channel.topic),
    );
    if (isDropped && channel.kind === 'signal') for (const { path } of channel.signals) this.#droppedPaths.add(path);
    return this.#options.rules.flatMap((rule) => {
      const run =
        channel.kind === 'signal' ? signalStep(rule, channel.topic, channel) : this.#opaqueStep(rule, channel.topic);
      return run === undefined ? [] : [{ rule, run: run as Step['run'] }];
    });
  }

  #opaqueStep(
    rule: RedactionRule,
    topic: string,
  ): ((message: OpaqueMessage) => Redacted | Promise<Redacted>) | undefined {
    if (!coversTopic(rule.topics, topic)) return undefined;
    const { hashKey, blanker } = this.#options;
    switch (rule.kind) {
      case 'drop':
        return () => undefined;
      case 'blank':
        return async (message) => ({
          ...message,
          data: await blankPayload(message.channel, message.data, { blanker, regions: rule.regions }),
        });
      case 'round':
        return (message) => withFields(message, rule.fields, (value) => roundField(value, rule.step));
      case 'hash':
        return (message) =>
          withFields(message, rule.fields, (value) => hashIdentifier(hashKey ?? new Uint8Array(0), value));
    }
  }
}

function withFields(
  message: OpaqueMessage,
  fields: readonly string[] | undefined,
  change: (value: unknown) => unknown,
): OpaqueMessage {
  return fields === undefined ? message : { ...message, data: changeFields(message.data, fields, change) };
}

type SignalStep = (message: SignalMessage) => SignalMessage | undefined;

function signalStep(rule: RedactionRule, topic: string, { signals }: SignalMessage['channel']): SignalStep | undefined {
  if (rule.kind === 'drop' && coversTopic(rule.topics, topic)) return () => undefined;
  if (rule.kind !== 'drop' && rule.kind !== 'round') return undefined;
  const indexes = signals.flatMap(({ path }, index) => (rule.paths?.includes(path) === true ? [index] : []));
  if (indexes.length === 0) return undefined;
  const change = rule.kind === 'drop' ? () => Number.NaN : (value: number): number => roundTo(value, rule.step);
  return (message) => {
    const values = message.values.slice();
    for (const index of indexes) values[index] = change(values[index] ?? Number.NaN);
    return { ...message, values };
  };
}
