/** One declared channel of a publisher. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { FleetError } from '@fleetloop/schemas';
import type { DeclareChannelSchema } from '@fleetloop/schemas/wire';
import type { PublishEntry } from './publish-codec.ts';

type DeclareInit = Exclude<MessageInitShape<typeof DeclareChannelSchema>, { $typeName: string }>;
/** A declaration as it goes over the wire, again after each loss of the connection. */
export type DeclareKind = Required<Omit<DeclareInit, '$typeName' | 'form'>> & {
  readonly form: NonNullable<DeclareInit['form']>;
};

type Publish = (entry: Omit<PublishEntry, 'sizeBytes'>, sizeBytes: number) => boolean;

export class PublisherChannel {
  readonly declare: DeclareKind;
  readonly #number: number;
  readonly #values: number | undefined;
  readonly #publish: Publish;
  #sequence = 0;
  #isAccepted = false;
  #refusal: FleetError | undefined;

  /** @param values count of a signal channel's values; undefined for bytes */
  constructor(declare: DeclareKind, values: number | undefined, publish: Publish) {
    this.declare = declare;
    this.#number = declare.channel;
    this.#values = values;
    this.#publish = publish;
  }

  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Why the agent does not take this channel. */
  get refusal(): FleetError | undefined {
    return this.#refusal;
  }

  /**
   * Queues a message: one value per signal (NaN for none), or the bytes of an opaque channel; they are copied.
   * @returns whether it was taken. False when the queue is full and the publisher waits (`drained`, then publish again), or the
   * channel is refused. A message that was taken and dropped later leaves a gap in the sequence, so that the loss shows.
   * @throws RangeError for values or bytes that do not fit the channel
   */
  publish(
    valuesOrBytes: Float64Array | readonly number[] | Uint8Array,
    options: { readonly stampNs?: bigint } = {},
  ): boolean {
    const common = { channel: this.#number, sequence: this.#sequence, stampNs: options.stampNs };
    if (this.#values === undefined) {
      if (!(valuesOrBytes instanceof Uint8Array)) throw new RangeError(`${this.declare.topic} takes bytes`);
      if (this.#refusal !== undefined) return false;
      return this.#count(this.#publish({ ...common, values: undefined, data: valuesOrBytes }, valuesOrBytes.length));
    }
    if (valuesOrBytes instanceof Uint8Array || valuesOrBytes.length !== this.#values) {
      throw new RangeError(`${this.declare.topic} takes ${this.#values} values`);
    }
    if (this.#refusal !== undefined) return false;
    const values = valuesOrBytes instanceof Float64Array ? valuesOrBytes : Float64Array.from(valuesOrBytes);
    return this.#count(this.#publish({ ...common, values, data: undefined }, values.length * 8));
  }

  #count(isTaken: boolean): boolean {
    if (isTaken) this.#sequence += 1;
    return isTaken;
  }

  /** The agent's answers; called by the publisher. */
  accepted(): void {
    this.#isAccepted = true;
    this.#refusal = undefined;
  }

  refused(error: FleetError): void {
    this.#refusal = error;
  }

  lost(): void {
    this.#isAccepted = false;
    this.#refusal = undefined;
  }
}
