/** Reads the messages of a block back, as they were captured. */
import { type Channel, FleetError, type SourceMessage } from '@fleetloop/schemas';
import { decodeSignalValues } from '@fleetloop/schemas/recording';
import type { AgentLogger } from '../ports.ts';
import {
  RECORD_HEADER_BYTES,
  recordChannelId,
  recordEnd,
  recordPublishTimeNs,
  recordSequence,
  recordTimeNs,
} from './message-record.ts';
import type { RecordBlock } from './record-block.ts';
import type { Ground } from './selection.ts';

/** In the order of the ring. What cannot be read back is left out, and said. */
export async function messagesIn(
  block: RecordBlock,
  { channels }: Ground,
  logger: AgentLogger | undefined,
): Promise<readonly SourceMessage[]> {
  const messages: SourceMessage[] = [];
  try {
    const bytes = await block.load();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at = recordEnd(view, at))
      messages.push(messageAt(bytes, view, at, channels.at(recordChannelId(view, at))));
  } catch (error) {
    const { code, message } = FleetError.from(error);
    logger?.error({ code, message, messages: block.messages }, 'record.block.lost');
  }
  return messages;
}

function messageAt(bytes: Uint8Array, view: DataView, at: number, channel: Channel): SourceMessage {
  const data = bytes.subarray(at + RECORD_HEADER_BYTES, recordEnd(view, at));
  const header = {
    sequence: recordSequence(view, at),
    logTimeNs: recordTimeNs(view, at),
    publishTimeNs: recordPublishTimeNs(view, at),
  };
  return channel.kind === 'signal'
    ? { kind: 'signal', channel, ...header, values: decodeSignalValues(data, channel.signals.length) }
    : { kind: 'opaque', channel, ...header, data };
}
