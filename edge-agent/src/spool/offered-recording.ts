/** A recording that is offered to the spool, held against what the spool has or had of its event. */
import { isLoss, type Outcome, type SpoolEntry, type SpoolableRecording } from './spool-entry.ts';

type Interval = Pick<SpoolEntry, 'startNs' | 'endNs'>;

const isLonger = (recording: Interval, than: Interval): boolean =>
  recording.startNs < than.startNs || recording.endNs > than.endNs;

/** What a power cut left of a longer event may be less than what was recorded of the shorter one. */
const isPoorer = ({ messages }: SpoolableRecording, than: SpoolEntry): boolean =>
  messages !== undefined && than.messages !== undefined && messages < than.messages;

/** What its entry says of it before it is written. */
export function headOf(
  recording: SpoolableRecording,
): Pick<
  SpoolEntry,
  'eventId' | 'priority' | 'session' | 'campaignIds' | 'startNs' | 'endNs' | 'messages' | 'uploadWithinMs'
> {
  const { id, priority, session, campaignIds, startNs, endNs, messages, uploadWithinMs } = recording;
  return {
    eventId: id,
    priority,
    session,
    campaignIds: [...campaignIds],
    startNs,
    endNs,
    ...(messages === undefined ? {} : { messages }),
    ...(uploadWithinMs === undefined ? {} : { uploadWithinMs }),
  };
}

/** New, or longer than what is here and may still change. What was given up or damaged before its end comes again as what it has become. */
export function isWanted(
  recording: SpoolableRecording,
  { entry, outcome }: { readonly entry: SpoolEntry | undefined; readonly outcome: Outcome | undefined },
): boolean {
  if (entry !== undefined) return !entry.isSettled && isLonger(recording, entry) && !isPoorer(recording, entry);
  return outcome === undefined || (isLoss(outcome) && isLonger(recording, outcome));
}
