/** One attempt after the other to reach the agent's socket, and the frames of the connection that stands. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { createConnection, type Socket } from 'node:net';
import { type ToPublisher, ToAgentSchema, ToPublisherSchema } from '@fleetloop/schemas/wire';
import { FrameSplitter, toFrame } from './publish-frames.ts';

const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 5_000;
/** The agent's answers are small. */
const ANSWER_BYTES_MAX = 64 * 1_024;
const WRITE_BACKLOG_BYTES_MAX = 1_024 * 1_024;

export type PublisherSocketListener = {
  /** The socket is open: say hello. */
  readonly onOpen: () => void;
  readonly onAnswer: (answer: ToPublisher['kind']) => void;
  /** The socket takes more again. */
  readonly onDrain: () => void;
  /** The connection, or the attempt to make one, is over; the next follows by itself. */
  readonly onLost: (reason: string) => void;
};

export class PublisherSocket {
  readonly #path: string;
  readonly #listener: PublisherSocketListener;
  #socket: Socket | undefined;
  #attempt: Socket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #waitMs = RECONNECT_MS_MIN;
  #isClosed = false;

  constructor(path: string, listener: PublisherSocketListener) {
    this.#path = path;
    this.#listener = listener;
    this.#open();
  }

  /** Whether more should be written now. */
  get isWritable(): boolean {
    return this.#socket !== undefined && this.#socket.writableLength < WRITE_BACKLOG_BYTES_MAX;
  }

  /** Frames are lost while there is no connection. */
  write(frame: Uint8Array): void {
    if (this.#socket?.writable === true) this.#socket.write(frame);
  }

  send(kind: NonNullable<MessageInitShape<typeof ToAgentSchema>['kind']>): void {
    this.write(toFrame(toBinary(ToAgentSchema, create(ToAgentSchema, { kind }))));
  }

  /** The agent took the hello: the next attempt after a loss is soon again. */
  settled(): void {
    this.#waitMs = RECONNECT_MS_MIN;
  }

  /** What was written goes out first. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#attempt?.destroy();
    if (socket === undefined || socket.destroyed) return;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.end(() => socket.destroy());
    socket.setTimeout(RECONNECT_MS_MAX, () => socket.destroy());
    await closed;
  }

  #open(): void {
    const splitter = new FrameSplitter(ANSWER_BYTES_MAX);
    const socket = createConnection(this.#path);
    this.#attempt = socket;
    let reason = 'the agent closed the connection';
    socket.once('connect', () => {
      this.#attempt = undefined;
      this.#socket = socket;
      this.#listener.onOpen();
    });
    socket.on('data', (chunk: Uint8Array) => {
      try {
        splitter.push(chunk, (frame) => this.#listener.onAnswer(fromBinary(ToPublisherSchema, frame).kind));
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
        socket.destroy();
      }
    });
    socket.on('drain', () => this.#listener.onDrain());
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.once('close', () => {
      this.#socket = undefined;
      this.#listener.onLost(reason);
      if (this.#isClosed) return;
      this.#retry = setTimeout(() => this.#open(), this.#waitMs * (0.5 + Math.random() / 2));
      this.#waitMs = Math.min(RECONNECT_MS_MAX, this.#waitMs * 2);
    });
  }
}
